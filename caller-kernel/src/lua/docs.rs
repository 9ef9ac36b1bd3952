//! What is known of the functions that are written in Rust.

use std::{collections::HashMap, rc::Rc};

use mlua::{Function, Value};

/// What people are told of a function or value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doc {
    /// Its name, with what it is a part of: `caller:call_soon`.
    pub(crate) name: String,
    /// Its parameters, with the brackets. Empty for a value.
    pub(crate) parameters: String,
    /// Sentences.
    pub(crate) text: String,
}

impl Doc {
    /// From a signature such as `sleep(seconds)`, and sentences.
    pub(crate) fn new(signature: &str, text: &str) -> Self {
        let at = signature.find('(').unwrap_or(signature.len());
        let (name, parameters) = signature.split_at(at);
        Self { name: name.to_owned(), parameters: parameters.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn signature(&self) -> String {
        format!("{}{}", self.name, self.parameters)
    }
}

/// The docs of one state, by the address of the function. The functions are kept, so that no other gets their address.
#[derive(Default)]
pub(crate) struct Docs {
    functions: HashMap<usize, (Rc<Doc>, Function)>,
    values: HashMap<String, Rc<Doc>>,
}

impl Docs {
    pub(crate) fn put(&mut self, function: &Function, doc: Doc) {
        self.functions.insert(function.to_pointer().addr(), (Rc::new(doc), function.clone()));
    }

    /// Of a function, or of the value that stands under the name.
    pub(crate) fn put_for(&mut self, value: &Value, doc: Doc) {
        match value {
            Value::Function(function) => self.put(function, doc),
            _ => self.put_value(doc),
        }
    }

    pub(crate) fn put_value(&mut self, doc: Doc) {
        self.values.insert(doc.name.clone(), Rc::new(doc));
    }

    pub(crate) fn of(&self, function: &Function) -> Option<Rc<Doc>> {
        self.functions.get(&function.to_pointer().addr()).map(|(doc, _)| doc.clone())
    }

    /// What is known of what stands at a path such as `gui.title`.
    pub(crate) fn at(&self, path: &str, value: &Value) -> Option<Rc<Doc>> {
        match value {
            Value::Function(function) => self.of(function),
            _ => self.values.get(path).cloned(),
        }
    }
}
