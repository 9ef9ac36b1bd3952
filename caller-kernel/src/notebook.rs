//! Notebooks: files of Jupyter's format 4, and running them without a front end.
//!
//! ```
//! use std::sync::Arc;
//!
//! use caller::Caller;
//! use caller_kernel::{lua::LuaLanguage, notebook::{Notebook, RunOptions}};
//! use caller_tokio::Tokio;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let mut notebook = Notebook::parse(r#"{
//!     "nbformat": 4, "nbformat_minor": 5, "metadata": {},
//!     "cells": [{ "cell_type": "code", "id": "a", "source": "6 * 7", "metadata": {}, "outputs": [], "execution_count": null }]
//! }"#)?;
//! let shell = Caller::builder().name("Shell").backend(Tokio::new()).spawn().unwrap();
//! let report = notebook.run(&shell, Arc::new(LuaLanguage::new()), RunOptions::new()).await?;
//! assert!(report.is_ok());
//! assert!(notebook.to_text().contains(r#""text/plain": ["#));
//! shell.stop();
//! # Ok::<_, caller_kernel::notebook::NotebookError>(())
//! # }).unwrap();
//! ```

mod error;

mod destination;

mod numbers;

mod format;

mod lines;

mod stream;

mod outputs;

mod recorder;

mod report;

mod thread;

mod run;

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

pub use self::{
    destination::Destination,
    error::NotebookError,
    report::{CellFailure, Ended, Report},
    run::RunOptions,
};
use crate::shell::LanguageInfo;

/// A notebook of [format 4][format], of any minor version. What is not known of it is kept.
///
/// [format]: https://nbformat.readthedocs.io/en/latest/format_description.html
#[derive(Clone, Debug, PartialEq)]
pub struct Notebook {
    /// An object with cells that are objects; texts of many lines are joined, and some numbers stand as texts ([`numbers`]).
    root: Value,
}

impl Notebook {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no notebook of format 4.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, NotebookError> {
        let path = path.as_ref();
        let failed = |source| NotebookError::Read { path: path.to_owned(), source };
        let text = fs::read(path).map_err(failed)?;
        let text = String::from_utf8(text).map_err(|_| NotebookError::Form("it is not UTF-8".to_owned()))?;
        Self::parse(&text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// It is no notebook of format 4.
    pub fn parse(text: &str) -> Result<Self, NotebookError> {
        let mut root: Value = serde_json::from_str(&numbers::hide(text.trim_start_matches('\u{feff}')))?;
        format::check(&root)?;
        lines::join(&mut root);
        Ok(Self { root })
    }

    /// The text of its file, as nbformat writes it: keys in order, lines of texts in arrays. Of minor version 5 on, each
    /// cell has an id of its own.
    pub fn to_text(&self) -> String {
        let mut root = self.root.clone();
        format::complete(&mut root);
        lines::split(&mut root);
        root.sort_all_objects();
        numbers::show(&format::print(&root))
    }

    /// Writes it to a file, as [`Destination::open`] says.
    ///
    /// # Errors
    ///
    /// The file cannot be written there.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), NotebookError> {
        self.write_to(Destination::open(path)?)
    }

    /// Writes it. That a reader has gone away is no failure.
    ///
    /// # Errors
    ///
    /// It cannot be written, or not all of it.
    pub fn write_to(&self, destination: Destination) -> Result<(), NotebookError> {
        destination.write(self.to_text().as_bytes())
    }

    /// The language of its cells, if it says one.
    pub fn language(&self) -> Option<&str> {
        let said = |at: &str| self.root.pointer(at).and_then(Value::as_str).filter(|name| !name.is_empty());
        said("/metadata/kernelspec/language").or_else(|| said("/metadata/language_info/name"))
    }

    fn cells(&self) -> &[Value] {
        self.root["cells"].as_array().map_or(&[], Vec::as_slice)
    }

    fn cell_mut(&mut self, at: usize) -> &mut Value {
        &mut self.root["cells"][at]
    }

    /// Says which language ran it; and which kernel to open it with, if it does not know one.
    fn set_language(&mut self, info: &LanguageInfo) {
        let metadata = &mut self.root["metadata"];
        metadata["language_info"] = json!({
            "name": info.name,
            "version": info.version,
            "mimetype": info.mimetype,
            "file_extension": info.file_extension,
            "pygments_lexer": info.pygments_lexer,
            "codemirror_mode": info.codemirror_mode,
        });
        let kernel = &mut metadata["kernelspec"];
        if !kernel.is_object() {
            *kernel = Map::new().into();
        }
        let known = kernel["name"].is_string();
        if !known {
            kernel["name"] = "caller".into();
        }
        if !known || !kernel["display_name"].is_string() {
            kernel["display_name"] = "Lua (caller)".into();
        }
        kernel["language"] = info.name.clone().into();
    }
}

#[cfg(test)]
mod tests;
