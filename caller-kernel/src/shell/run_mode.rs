//! How a cell is run: what its first line or its tags say.

use std::time::Duration;

use super::CellError;

/// Where a cell runs, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In the shell's thread, after those before it.
    #[default]
    Queue,
    /// In the shell's thread, at once, beside the others.
    Task,
    /// In a worker, or in a thread of this name.
    Thread(Option<String>),
    /// In the thread of the program's caller of this name.
    Caller(String),
}

/// What is said about a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunMode {
    pub(crate) mode: Mode,
    /// `Some(None)` for no limit, whatever the kernel's is.
    pub(crate) timeout: Option<Option<Duration>>,
}

impl RunMode {
    /// Reads the first line of a cell and its tags. The line has the last word.
    ///
    /// # Errors
    ///
    /// They name a mode, and an option that it has not.
    pub(crate) fn read(code: &str, tags: &[String]) -> Result<Self, CellError> {
        let mut run_mode = Self::default();
        for tag in tags {
            run_mode.take(tag)?;
        }
        let first = code.lines().next().unwrap_or_default().trim();
        if let Some(line) = first.strip_prefix("--").or_else(|| hash(first)) {
            run_mode.take(line)?;
        }
        Ok(run_mode)
    }

    /// Whether the first line of a cell says how it is run in a comment with `#`, which is none in every language.
    pub(crate) fn is_hash_line(line: &str) -> bool {
        hash(line.trim()).is_some_and(|text| Self::default().take(text).unwrap_or(true))
    }

    /// Takes what one line or tag says, and gives whether that is anything: prose and tags of others say nothing.
    fn take(&mut self, text: &str) -> Result<bool, CellError> {
        let Some(words) = words(text) else { return Ok(false) };
        let Some((first, options)) = words.split_first() else { return Ok(false) };
        let Some(options) = options.iter().map(Word::option).collect::<Option<Vec<_>>>() else {
            return Ok(false);
        };
        match first {
            Word::Plain(word) => {
                let named = matches!(word.as_str(), "thread" | "caller");
                if !named && !matches!(word.as_str(), "queue" | "task") {
                    return Ok(false);
                }
                let mut name = None;
                for (option, value) in options {
                    match option {
                        "name" if named => name = Some(value.to_owned()),
                        "timeout" => self.timeout = Some(timeout(value)?),
                        other => return Err(unknown(word, other)),
                    }
                }
                self.mode = match (word.as_str(), name) {
                    ("queue", _) => Mode::Queue,
                    ("task", _) => Mode::Task,
                    ("thread", name) => Mode::Thread(name.filter(|name| !name.is_empty())),
                    (_, Some(name)) => Mode::Caller(name),
                    (_, None) => {
                        let text = "say which caller is to run the cell, as in `caller name=gui`";
                        return Err(CellError::new("RunModeError", text));
                    }
                };
            }
            Word::Option(name, value) if name == "timeout" && options.is_empty() => {
                self.timeout = Some(timeout(value)?);
            }
            Word::Option(..) => return Ok(false),
        }
        Ok(true)
    }
}

/// That a cell is to run in a caller that the program has not given, and which it has.
pub(crate) fn unknown_caller<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> CellError {
    let names: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    CellError::new("RunModeError", format!("this kernel knows no caller `{name}`; it knows {known}"))
}

/// A comment with `#`. White space follows it: elsewhere `#queue` may be code, as the length of a list is in Lua.
fn hash(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|text| text.starts_with(char::is_whitespace))
}

fn unknown(mode: &str, option: &str) -> CellError {
    let known = if matches!(mode, "thread" | "caller") { "`name` and `timeout`" } else { "`timeout`" };
    CellError::new("RunModeError", format!("the mode `{mode}` has no option `{option}`; it has {known}"))
}

/// A time in seconds; zero or less is no limit.
fn timeout(text: &str) -> Result<Option<Duration>, CellError> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds <= 0.0 => Ok(None),
        // Beyond what a clock can count there is no limit either.
        Ok(seconds) if !seconds.is_nan() => Ok(Duration::try_from_secs_f64(seconds).ok()),
        _ => Err(CellError::new("RunModeError", format!("`timeout={text}` is no number of seconds"))),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Plain(String),
    Option(String, String),
}

impl Word {
    fn option(&self) -> Option<(&str, &str)> {
        match self {
            Self::Plain(_) => None,
            Self::Option(name, value) => Some((name, value)),
        }
    }
}

/// Words and options, whose values may be in quotes. None for what has quotes elsewhere or no end to them.
fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name.contains(['"', '\'']) {
            return None;
        }
        let Some(value) = after.strip_prefix('=') else {
            words.push(Word::Plain(name.to_owned()));
            rest = after.trim_start();
            continue;
        };
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote)?,
            _ => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        words.push(Word::Option(name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(code: &str) -> Mode {
        RunMode::read(code, &[]).unwrap().mode
    }

    #[test]
    fn the_first_line_says_how() {
        assert_eq!(mode("-- queue\nx = 1"), Mode::Queue);
        for code in ["-- task", "--task\n1", "# task\n1", "  # task", "#\ttask", "-- task timeout=1"] {
            assert_eq!(mode(code), Mode::Task, "{code}");
        }
        assert_eq!(mode("-- thread"), Mode::Thread(None));
        assert_eq!(mode("-- thread name=io"), Mode::Thread(Some("io".into())));
        assert_eq!(mode("# thread name='My thread'"), Mode::Thread(Some("My thread".into())));
        assert_eq!(mode("-- caller name=\"the gui\" timeout=2\nf()"), Mode::Caller("the gui".into()));
    }

    #[test]
    fn prose_says_nothing() {
        for code in [
            "",
            "x = 1\n-- task",
            "-- thread safety is hard",
            "-- task: find the way",
            "-- thread 'a",
            "-- thread name='a",
            "-- caller of last resort",
            "--",
            "#",
            "-- = =",
            "-- a=b",
            "--[[ task ]]",
            "#task",
        ] {
            assert_eq!(RunMode::read(code, &[]).unwrap(), RunMode::default(), "{code}");
        }
    }

    #[test]
    fn tags_say_it_too_and_the_line_has_the_last_word() {
        let tags = ["hide-input", "thread", "timeout=0.25"].map(str::to_owned);
        let run_mode = RunMode::read("x = 1", &tags).unwrap();
        let timeout = Some(Some(Duration::from_millis(250)));
        assert_eq!(run_mode, RunMode { mode: Mode::Thread(None), timeout });
        let run_mode = RunMode::read("-- task", &tags).unwrap();
        assert_eq!(run_mode, RunMode { mode: Mode::Task, timeout });
        assert_eq!(RunMode::read("-- task timeout=0", &tags).unwrap().timeout, Some(None));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |code: &str| RunMode::read(code, &[]).unwrap_err().evalue;
        assert_eq!(told("-- caller"), "say which caller is to run the cell, as in `caller name=gui`");
        assert_eq!(told("-- task name=x"), "the mode `task` has no option `name`; it has `timeout`");
        assert_eq!(
            told("-- thread tiemout=1"),
            "the mode `thread` has no option `tiemout`; it has `name` and `timeout`"
        );
        assert_eq!(told("-- task timeout=soon"), "`timeout=soon` is no number of seconds");
    }
}
