//! What is read is what is written, and what nbformat says of it.

use super::*;

fn form_error(text: &str) -> String {
    Notebook::parse(text).unwrap_err().to_string()
}

#[test]
fn what_is_no_notebook_says_why() {
    let texts = [
        "",
        "[]",
        "{}",
        r#"{"nbformat": 3, "worksheets": []}"#,
        r#"{"nbformat": 4}"#,
        r#"{"nbformat": 4, "metadata": [], "cells": []}"#,
        r#"{"nbformat": 4, "cells": [1]}"#,
        r#"{"nbformat": 4, "cells": [{"source": ""}]}"#,
        r#"{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}"#,
        r#"{"nbformat": 4, "cells": [{"cell_type": "code", "source": NaN}]}"#,
        r#"{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": 1}]}"#,
    ];
    insta::assert_snapshot!(texts.map(form_error).join("\n"), @r"
    this is no notebook: EOF while parsing a value at line 1 column 0
    this is no notebook: it is not a JSON object
    this is no notebook: it does not say its `nbformat`
    this is a notebook of format 3, and 4 is needed; convert it with `jupyter nbconvert --to notebook`
    this is no notebook: it has no `cells`
    this is no notebook: its metadata is not an object
    this is no notebook: cell 1 is not an object
    this is no notebook: cell 1 does not say its `cell_type`
    this is no notebook: cell 1 has no text as its `source`
    this is no notebook: cell 1 has no text as its `source`
    this is no notebook: cell 1 has metadata that is not an object
    ");
}

#[test]
fn a_notebook_is_written_as_nbformat_does() {
    let text = r#"{"nbformat": 4, "nbformat_minor": 4, "more": "kept", "cells": [
        {"source": ["a\n", "b"], "cell_type": "code"},
        {"source": "é\u001b", "cell_type": "raw", "odd": [1.5, 10000000000000000000]}
    ]}"#;
    let notebook = Notebook::parse(text).unwrap();
    insta::assert_snapshot!(notebook.to_text(), @r#"
    {
     "cells": [
      {
       "cell_type": "code",
       "execution_count": null,
       "metadata": {},
       "outputs": [],
       "source": [
        "a\n",
        "b"
       ]
      },
      {
       "cell_type": "raw",
       "metadata": {},
       "odd": [
        1.5,
        10000000000000000000
       ],
       "source": [
        "é\u001b"
       ]
      }
     ],
     "metadata": {},
     "more": "kept",
     "nbformat": 4,
     "nbformat_minor": 4
    }
    "#);
    // It is the same when it is read again.
    let again = Notebook::parse(&notebook.to_text()).unwrap();
    assert_eq!(again.to_text(), notebook.to_text());
}

#[test]
fn numbers_are_written_as_they_are_spelt() {
    let text = r#"{
 "cells": [],
 "metadata": {
  "numbers": [
   12345678901234567890123,
   1e-07,
   1.0,
   NaN,
   -Infinity,
   "NaN"
  ]
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
"#;
    assert_eq!(Notebook::parse(text).unwrap().to_text(), text);
    // Half of a character is nothing that a text could have; nbformat reads it, and cannot write it.
    insta::assert_snapshot!(
        form_error(r#"{"nbformat": 4, "cells": [], "metadata": {"a": "\ud800"}}"#),
        @"this is no notebook: unexpected end of hex escape at line 1 column 55"
    );
}

#[test]
fn cells_get_ids_of_their_own_where_the_format_wants_them() {
    let cells = r#""cells": [
        {"cell_type": "raw", "source": "", "id": "one"},
        {"cell_type": "raw", "source": "", "id": "one"},
        {"cell_type": "raw", "source": "", "id": "not allowed"},
        {"cell_type": "raw", "source": ""}
    ]"#;
    let ids = |minor: i64| {
        let text = format!(r#"{{"nbformat": 4, "nbformat_minor": {minor}, {cells}}}"#);
        let written: Value = serde_json::from_str(&Notebook::parse(&text).unwrap().to_text()).unwrap();
        let cells = written["cells"].as_array().unwrap().clone();
        cells.into_iter().map(|cell| cell["id"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let own = |id: &str| Some(id.to_owned());
    assert_eq!(ids(4), [own("one"), own("one"), own("not allowed"), None]);
    let mut new = ids(5);
    assert_eq!(new.remove(0), own("one"));
    let mut new: Vec<String> = new.into_iter().map(Option::unwrap).collect();
    assert!(new.iter().all(|id| id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit())), "{new:?}");
    new.sort();
    new.dedup();
    assert_eq!(new.len(), 3);
}

fn with_metadata(metadata: &str) -> Notebook {
    Notebook::parse(&format!(r#"{{"nbformat": 4, "cells": [], "metadata": {metadata}}}"#)).unwrap()
}

#[test]
fn the_language_is_what_either_entry_says() {
    let language = |metadata: &str| with_metadata(metadata).language().map(str::to_owned);
    assert_eq!(language("{}"), None);
    assert_eq!(language(r#"{"kernelspec": {"language": "lua"}}"#).as_deref(), Some("lua"));
    assert_eq!(
        language(r#"{"kernelspec": {"name": "x"}, "language_info": {"name": "python"}}"#).as_deref(),
        Some("python")
    );
}

#[test]
fn a_kernel_that_is_known_is_kept() {
    let info = LanguageInfo { name: "lua".to_owned(), version: "5.4".to_owned(), ..LanguageInfo::default() };
    let kernel = |metadata: &str| {
        let mut notebook = with_metadata(metadata);
        notebook.set_language(&info);
        assert_eq!(notebook.root["metadata"]["language_info"]["version"], "5.4");
        notebook.root["metadata"]["kernelspec"].to_string()
    };
    let ours = r#"{"display_name":"Lua (caller)","language":"lua","name":"caller"}"#;
    assert_eq!(kernel("{}"), ours);
    assert_eq!(kernel(r#"{"kernelspec": {"display_name": "?"}}"#), ours);
    let theirs = r#"{"display_name":"Our service","env":{},"language":"lua","name":"service"}"#;
    assert_eq!(kernel(&format!(r#"{{"kernelspec": {theirs}}}"#)), theirs);
}

#[test]
fn a_file_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ipynb");
    let notebook = with_metadata("{}");
    notebook.write(&path).unwrap();
    notebook.write(&path).unwrap();
    assert_eq!(Notebook::read(&path).unwrap().to_text(), notebook.to_text());
    // Nothing else is left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let away = folder.path().join("no").join("a.ipynb");
    assert!(matches!(notebook.write(&away), Err(NotebookError::Write { path, .. }) if path == away));
    assert!(matches!(Notebook::read(&away), Err(NotebookError::Read { path, .. }) if path == away));
}

#[cfg(unix)]
#[test]
fn who_may_read_a_file_stays() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (path, usual, link) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
    let notebook = with_metadata("{}");
    notebook.write(&path).unwrap();
    fs::write(&usual, "").unwrap();
    assert_eq!(mode(&path), mode(&usual));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&path, &link).unwrap();
    notebook.write(&link).unwrap();
    assert_eq!(mode(&path), 0o640);
    assert!(link.is_symlink());
}
