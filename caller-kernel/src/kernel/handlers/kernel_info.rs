//! [`kernel_info_request`]: what kernel this is.
//!
//! [`kernel_info_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-info

use serde_json::{Value, json};

use crate::{
    kernel::{request::Request, shared::Shared},
    shell::{HelpLink, LanguageInfo},
};

/// Answers it.
pub(crate) fn answer(shared: &Shared, mut request: Request) {
    request.begin();
    request.reply(&describe(shared.language.info()));
}

fn describe(language: LanguageInfo) -> Value {
    let LanguageInfo {
        name,
        version,
        mimetype,
        file_extension,
        pygments_lexer,
        codemirror_mode,
        banner,
        help_links,
    } = language;
    let links = help_links.iter().map(|HelpLink { text, url }| json!({ "text": text, "url": url }));
    json!({
        "status": "ok",
        "protocol_version": "5.5",
        "implementation": "caller-kernel",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": name, "version": version, "mimetype": mimetype, "file_extension": file_extension,
            "pygments_lexer": pygments_lexer, "codemirror_mode": codemirror_mode,
        },
        "banner": banner,
        "help_links": links.collect::<Vec<_>>(),
        "debugger": false,
        "supported_features": ["kernel subshells"],
    })
}
