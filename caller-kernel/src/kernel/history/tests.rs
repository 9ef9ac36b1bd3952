use super::*;

fn inputs(entries: &[Entry]) -> Vec<(u64, u32, &str)> {
    entries.iter().map(|entry| (entry.session, entry.line, &*entry.input)).collect()
}

#[test]
fn it_goes_on_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let first = History::open(&path).unwrap();
    first.store(1, "x = 'ä\n'");
    first.store_output(1, "7");
    // At the same time.
    let second = History::open(&path).unwrap();
    second.store(1, "y = 1");
    first.store(2, "x");
    drop((first, second));
    // A line that was cut off.
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"{\"session\": 1, \"li")
        .unwrap();

    let third = History::open(&path).unwrap();
    let fourth = History::open(&path).unwrap();
    assert_eq!((third.state().session, fourth.state().session), (3, 4));
    third.store(1, "z");
    let known = [(1, 1, "x = 'ä\n'"), (1, 2, "x"), (2, 1, "y = 1")];
    assert_eq!(inputs(&third.tail(9)), [&known[..], &[(3, 1, "z")]].concat());
    assert_eq!(third.tail(9)[0].output.as_deref(), Some("7"));
    let fifth = History::open(&path).unwrap();
    assert_eq!(inputs(&fifth.range(-2, 1, None)), [(3, 1, "z")]);
}

#[test]
fn a_session_is_numbered_after_the_last_however_long_that_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let first = History::open(&path).unwrap();
    let second = History::open(&path).unwrap();
    // Longer than what is read at a time, and with a line that is longer than that.
    first.store(1, &"y".repeat(50_000));
    for line in 2..=2_000 {
        first.store(line, &format!("x = '{}'", "ä".repeat(20)));
    }
    assert!(std::fs::metadata(&path).unwrap().len() > 150_000);
    let third = History::open(&path).unwrap();
    assert_eq!((second.state().session, third.state().session), (2, 3));
    // What another kernel does meanwhile is there too.
    second.store(1, "y");
    assert_eq!(inputs(&third.tail(1)), [(2, 1, "y")]);
    assert_eq!(third.range(1, 1, None).len(), 2_000);
    // Nothing of it is kept in memory.
    assert!([first, second, third].iter().all(|history| history.state().entries.is_empty()));
}

#[test]
fn lines_that_make_no_sense_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let nonsense = "{\"session\":18446744073709551615,\"line\":0}\n{\"session\":-1}\n[]\n\n\0";
    std::fs::write(&path, nonsense).unwrap();
    let history = History::open(&path).unwrap();
    history.store(1, "a");
    assert_eq!(inputs(&history.tail(9)), [(1, 1, "a")]);
}

#[test]
fn a_file_that_somebody_keeps_locked_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let other = std::fs::File::create(&path).unwrap();
    other.lock().unwrap();
    assert_eq!(History::open(&path).err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    drop(other);
    assert!(History::open(&path).is_ok());
}

#[test]
fn what_cannot_be_written_is_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let history = History::open(&path).unwrap();
    history.store(1, "a");
    history.state().write(|_| Err(std::io::Error::other("no space is left")));
    history.store(2, "b");
    history.store_output(2, "5");
    assert_eq!(inputs(&history.tail(9)), [(1, 1, "a"), (1, 2, "b")]);
    assert_eq!(history.tail(1)[0].output.as_deref(), Some("5"));
    assert_eq!(History::open(&path).unwrap().tail(9).len(), 1);
}

#[cfg(unix)]
#[test]
fn its_file_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let _history = History::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn ranges_are_of_one_session() {
    let history = History::in_memory();
    for line in 1..=5 {
        history.store(line, &format!("cell {line}"));
    }
    assert_eq!(inputs(&history.range(0, 2, Some(4))), [(1, 2, "cell 2"), (1, 3, "cell 3")]);
    assert_eq!(history.range(1, 5, None).len(), 1);
    assert!(history.range(-1, 1, None).is_empty());
    assert!(history.range(i64::MIN, 1, None).is_empty());
}

#[test]
fn a_search_gives_the_last_that_fit() {
    let history = History::in_memory();
    for (line, input) in [(1, "a = 1"), (2, "b = 1"), (3, "a = 2"), (4, "a = 1")] {
        history.store(line, input);
    }
    assert_eq!(inputs(&history.search("a*", Some(2), false)), [(1, 3, "a = 2"), (1, 4, "a = 1")]);
    assert_eq!(inputs(&history.search("a*", None, true)), [(1, 3, "a = 2"), (1, 4, "a = 1")]);
    assert_eq!(history.search("*", None, false).len(), 4);
}

use std::io::Write;
