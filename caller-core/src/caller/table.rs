//! What people look at: a table of all callers.

use std::fmt::Write;

use super::inner::Caller;

/// A table of all callers, the current one marked: name, state, protection, thread, id.
///
/// ```text
/// Name     State    Protected  Thread    Id
/// ───────────────────────────────────────────
/// main     running  yes        main       1  ← current
/// worker   running             worker     2
/// ```
pub fn callers_table() -> String {
    let here = Caller::current().ok();
    let mut rows = vec![["Name", "State", "Protected", "Thread", "Id"].map(str::to_owned)];
    let callers = Caller::all_existing();
    rows.extend(callers.iter().map(|caller| {
        [
            caller.name().to_owned(),
            caller.state().to_string(),
            if caller.is_protected() { "yes".to_owned() } else { String::new() },
            caller.thread().map_or_else(String::new, |(_, name)| name.to_owned()),
            caller.id().to_string(),
        ]
    }));
    let widths: [usize; 5] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let mut table = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _infallible = write!(line, "{cell:width$}  ");
        }
        if at > 0 && callers.get(at - 1) == here.as_ref() {
            line.push_str("← current");
        }
        table.push_str(line.trim_end());
        table.push('\n');
        if at == 0 {
            table.push_str(&"─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
            table.push('\n');
        }
    }
    table
}
