//! What a front end asks: completion, inspection, whether code is complete, user expressions.

use caller_kernel::{
    lua::{Exposed, LuaLanguage},
    shell::{Detail, IsComplete, Shell},
};
use insta::assert_snapshot;

use super::{Notebook, notebook, notebook_of};

fn language() -> LuaLanguage {
    LuaLanguage::new().expose(
        Exposed::new().function("sha256", "sha256(path)\nThe digest of a file.", |path: String| path).value(
            "limits.users",
            "How many users there may be.",
            20,
        ),
    )
}

/// Completes at the `|` of a text.
fn complete(nb: &Notebook, code: &str) -> String {
    let cursor = code.chars().position(|c| c == '|').unwrap();
    let completion = nb.shell.complete(&code.replace('|', ""), cursor);
    let matches: Vec<_> = completion
        .matches
        .iter()
        .map(|found| format!("{} ({})", found.signature.as_ref().unwrap_or(&found.text), found.kind))
        .collect();
    format!("{}..{}: {}", completion.start, completion.end, matches.join(", "))
}

fn inspect(nb: &Notebook, code: &str, detail: Detail) -> String {
    let cursor = code.chars().position(|c| c == '|').unwrap();
    let found = nb.shell.inspect(&code.replace('|', ""), cursor, detail);
    found.map_or_else(|| "nothing".to_owned(), |found| found.plain().unwrap().to_owned())
}

#[test]
fn names_are_completed() {
    notebook_of(language(), async |nb| {
        nb.run("table_of = {name = 1, nameless = 2, ['a b'] = 3, sub = {deep = {1}}, method = function(self, a) end, list = {{inner = 1}}}").await;
        nb.run("obj = setmetatable({own = 1}, {__index = {method = function() end, field = 1}})").await;
        assert_snapshot!(complete(&nb, "x = table_of.na|"), @"13..15: name (value), nameless (value)");
        assert_snapshot!(complete(&nb, "ä = table_of.sub.d|"), @"17..18: deep (table)");
        assert_snapshot!(complete(&nb, "table_of.list[1].|"), @"17..17: inner (value)");
        assert_snapshot!(complete(&nb, "table_of['sub'].|"), @"16..16: deep (table)");
        assert_snapshot!(complete(&nb, "table_of:|"), @"9..9: method(self, a) (function)");
        assert_snapshot!(complete(&nb, "obj:me|"), @"4..6: method() (function)");
        assert_snapshot!(complete(&nb, "obj.|"), @"4..4: field (value), method() (function), own (value)");
        assert_snapshot!(complete(&nb, "('x'):up|"), @"6..8: upper (function)");
        assert_snapshot!(complete(&nb, "s = 'x' s:|"), @"10..10:");
        assert_snapshot!(complete(&nb, "sha|"), @"0..3: sha256(path) (function)");
        assert_snapshot!(complete(&nb, "whi|"), @"0..3: while (keyword)");
        assert_snapshot!(complete(&nb, "local localname = 1\nprint(loca|"), @"26..30: local (keyword), localname (name)");
        assert_snapshot!(complete(&nb, "caller:ca|"), @"7..9: call_later(seconds, f, ...) (function), call_soon(f, ...) (function)");
        assert_snapshot!(complete(&nb, "caller.|"), @"7..7: id (field), name (field), protected (field), state (field), thread (field)");
        assert_snapshot!(complete(&nb, "limits.u|"), @"7..8: users (value)");
        assert_snapshot!(complete(&nb, "display.v|"), @"8..9: vegalite(value, options) (function)");
        assert_snapshot!(complete(&nb, "-- sha|"), @"6..6:");
        assert_snapshot!(complete(&nb, "'sha|"), @"4..4:");
        assert_snapshot!(complete(&nb, "nosuch.x|"), @"8..8:");
        assert_snapshot!(complete(&nb, "nosuch().x|"), @"10..10:");
        assert_snapshot!(complete(&nb, "12|"), @"2..2:");
    });
}

#[test]
fn what_a_call_gives_is_not_its_text() {
    notebook(async |nb| {
        for code in [
            "caller:child('x').|",
            "print('x').|",
            "require'x'.|",
            "f'x':|",
            "f[1]('x').|",
            "f{}'x'.|",
            "f()'x'.|",
        ] {
            assert!(complete(&nb, code).ends_with(": "), "{code}: {}", complete(&nb, code));
        }
        assert_snapshot!(complete(&nb, "return 'x':upp|"), @"11..14: upper (function)");
        assert_snapshot!(complete(&nb, "print(('x'):upp|"), @"12..15: upper (function)");
    });
}

#[test]
fn of_several_functions_in_a_line_the_right_one_is_shown() {
    notebook(async |nb| {
        nb.run("t = {a = function(x) end, b = function(y, z) end, c = function(p, ...) end}").await;
        nb.run("u = {a = function(x) end, b = function(y) end} function u:m(x, y) end").await;
        let head =
            |code: &str| inspect(&nb, code, Detail::Brief).lines().next().unwrap_or_default().to_owned();
        let heads = ["t.a|", "t.b|", "t.c|", "u.a|", "u.m|"].map(head);
        assert_eq!(
            heads,
            [
                "function t.a(x)",
                "function t.b(y, z)",
                "function t.c(p, ...)",
                "function u.a",
                "function u.m(x, y)"
            ]
        );
    });
}

#[test]
fn what_the_shell_brings_is_explained() {
    notebook(async |nb| {
        assert_snapshot!(inspect(&nb, "display|", Detail::Brief), @r#"
        function display(value, options)

        Shows a value, or a table of data by MIME type. Options: `id`, a text or true for a new one, under which it can be changed: then a handle is returned, with `handle:update(value)`.
        "#);
        for name in [
            "display.html",
            "display.list",
            "update_display",
            "progress",
            "clear_output",
            "input",
            "sleep",
            "wait",
        ] {
            let text = inspect(&nb, &format!("{name}|"), Detail::Brief);
            assert!(text.starts_with(&format!("function {name}(")) && text.lines().count() > 2, "{text}");
        }
    });
}

#[test]
fn values_are_inspected() {
    notebook_of(language(), async |nb| {
        nb.run("-- Greets.\nfunction greet(name, how)\n  return how .. name\nend\nn = {x = 1}").await;
        assert_snapshot!(inspect(&nb, "gre|et('x')", Detail::Brief), @r#"
        function greet(name, how)
        In [1]:2

        function greet(name, how)
          return how .. name
        end
        "#);
        assert_snapshot!(inspect(&nb, "greet('x', |", Detail::Brief), @r#"
        function greet(name, how)
        In [1]:2

        function greet(name, how)
          return how .. name
        end
        "#);
        assert_snapshot!(inspect(&nb, "sha256|", Detail::Full), @r#"
        function sha256(path)

        The digest of a file.
        "#);
        assert_snapshot!(inspect(&nb, "n|", Detail::Brief), @r#"
        n: table
        {x = 1}
        "#);
        assert_snapshot!(inspect(&nb, "n.x|", Detail::Brief), @r#"
        n.x: integer
        1
        "#);
        assert_snapshot!(inspect(&nb, "limits.users|", Detail::Brief), @r#"
        limits.users: integer
        20

        How many users there may be.
        "#);
        assert_snapshot!(inspect(&nb, "caller:call_soon|", Detail::Brief), @r#"
        function caller:call_soon(f, ...)

        Calls `f(...)` soon, in the caller's thread, and returns a pending. A Lua function runs on the caller of this shell only, as a coroutine of its own; an exposed function runs on any.
        "#);
        assert_snapshot!(inspect(&nb, "string.format|", Detail::Brief), @r#"
        function string.format
        builtin
        "#);
        assert_snapshot!(inspect(&nb, "nosuch|", Detail::Brief), @"nothing");
        assert_snapshot!(inspect(&nb, "|", Detail::Brief), @"nothing");
    });
}

#[test]
fn questions_do_not_hang() {
    notebook(async |nb| {
        nb.run("t = setmetatable({}, {__tostring = function() while true do pcall(function() while true do end end) end end, __index = function() while true do end end})").await;
        assert!(
            inspect(&nb, "t|", Detail::Brief).contains("took too long"),
            "{}",
            inspect(&nb, "t|", Detail::Brief)
        );
        complete(&nb, "t.x|");
        assert_eq!(nb.run("1").await, "result: 1");
    });
}

#[test]
fn whether_code_is_complete() {
    notebook(async |nb| {
        let ask = |code: &str| match nb.shell.is_complete(code) {
            IsComplete::Incomplete { indent } => format!("incomplete {indent:?}"),
            other => other.status().to_owned(),
        };
        let codes = [
            "1 + 1",
            "x = 1",
            "",
            "-- c",
            "x = ",
            "1 +",
            "x = 1\nx +",
            "function f()",
            "function f()\n  if x then",
            "f(",
            "{1,",
            "x = [[",
            "x = 'a",
            "x = 'a\\",
            "x = 'a\\\n",
            "x = 'a\\z \n ",
            "x = 'a\\\nb",
            "x = 'a\\\\\n",
            "x = = 1",
            "end",
            "for i = 1, 2 do\nend",
            "%callers",
            "return 1 2",
            "f(1,\n  {",
            "x = 1\nx",
            "if x then else",
        ];
        let answers: Vec<_> = codes.iter().map(|code| format!("{code:?} {}", ask(code))).collect();
        assert_snapshot!(answers.join("\n"), @r#"
        "1 + 1" complete
        "x = 1" complete
        "" complete
        "-- c" complete
        "x = " incomplete ""
        "1 +" incomplete ""
        "x = 1\nx +" incomplete ""
        "function f()" incomplete "  "
        "function f()\n  if x then" incomplete "    "
        "f(" incomplete "  "
        "{1," incomplete "  "
        "x = [[" incomplete ""
        "x = 'a" invalid
        "x = 'a\\" incomplete ""
        "x = 'a\\\n" incomplete ""
        "x = 'a\\z \n " incomplete ""
        "x = 'a\\\nb" invalid
        "x = 'a\\\\\n" invalid
        "x = = 1" invalid
        "end" invalid
        "for i = 1, 2 do\nend" complete
        "%callers" complete
        "return 1 2" invalid
        "f(1,\n  {" incomplete "    "
        "x = 1\nx" complete
        "if x then else" incomplete "  "
        "#);
    });
}

#[test]
fn user_expressions_are_evaluated() {
    notebook(async |nb| {
        nb.run("x = 20").await;
        let cell = nb.cell("");
        let ask = async |expression: &str| match nb.shell.evaluate(expression, &cell).await {
            Ok(bundle) => bundle.plain().unwrap().to_owned(),
            Err(error) => error.to_string(),
        };
        assert_snapshot!(ask("x + 1").await, @"21");
        assert_snapshot!(ask("nosuch").await, @"nil");
        assert_snapshot!(ask("nosuch.field").await, @"Error: expression:1: attempt to index a nil value (global 'nosuch')");
        assert_snapshot!(ask("x +").await, @"SyntaxError: expression:1: unexpected symbol near <eof>");
        assert_snapshot!(ask("x -- comment").await, @"20");
        assert_snapshot!(ask("sleep(0)").await, @"nil");
    });
}
