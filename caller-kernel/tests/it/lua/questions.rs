//! What a front end asks: completion, inspection, whether code is complete, user expressions.

use caller_kernel::{
    lua::{Exposed, LuaLanguage},
    shell::{Detail, IsComplete, Shell},
};
use insta::assert_snapshot;

use super::{Notebook, notebook, notebook_of};

fn language() -> LuaLanguage {
    LuaLanguage::new().expose(
        Exposed::new()
            .function("sha256", "sha256(path)\nThe digest of a file.", |path: String| path)
            .value("limits.users", "How many users there may be.", 20),
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
        assert_snapshot!(complete(&nb, "x = table_of.na|"), @"");
        assert_snapshot!(complete(&nb, "ä = table_of.sub.d|"), @"");
        assert_snapshot!(complete(&nb, "table_of.list[1].|"), @"");
        assert_snapshot!(complete(&nb, "table_of['sub'].|"), @"");
        assert_snapshot!(complete(&nb, "table_of:|"), @"");
        assert_snapshot!(complete(&nb, "obj:me|"), @"");
        assert_snapshot!(complete(&nb, "obj.|"), @"");
        assert_snapshot!(complete(&nb, "('x'):up|"), @"");
        assert_snapshot!(complete(&nb, "s = 'x' s:|"), @"");
        assert_snapshot!(complete(&nb, "sha|"), @"");
        assert_snapshot!(complete(&nb, "whi|"), @"");
        assert_snapshot!(complete(&nb, "local localname = 1\nprint(loca|"), @"");
        assert_snapshot!(complete(&nb, "caller:ca|"), @"");
        assert_snapshot!(complete(&nb, "caller.|"), @"");
        assert_snapshot!(complete(&nb, "limits.u|"), @"");
        assert_snapshot!(complete(&nb, "display.v|"), @"");
        assert_snapshot!(complete(&nb, "-- sha|"), @"");
        assert_snapshot!(complete(&nb, "'sha|"), @"");
        assert_snapshot!(complete(&nb, "nosuch.x|"), @"");
        assert_snapshot!(complete(&nb, "nosuch().x|"), @"");
        assert_snapshot!(complete(&nb, "12|"), @"");
    });
}

#[test]
fn values_are_inspected() {
    notebook_of(language(), async |nb| {
        nb.run("-- Greets.\nfunction greet(name, how)\n  return how .. name\nend\nn = {x = 1}").await;
        assert_snapshot!(inspect(&nb, "gre|et('x')", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "greet('x', |", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "sha256|", Detail::Full), @"");
        assert_snapshot!(inspect(&nb, "n|", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "n.x|", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "limits.users|", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "caller:call_soon|", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "string.format|", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "nosuch|", Detail::Brief), @"");
        assert_snapshot!(inspect(&nb, "|", Detail::Brief), @"");
    });
}

#[test]
fn questions_do_not_hang() {
    notebook(async |nb| {
        nb.run("t = setmetatable({}, {__tostring = function() while true do pcall(function() while true do end end) end end, __index = function() while true do end end})").await;
        assert!(inspect(&nb, "t|", Detail::Brief).contains("took too long"), "{}", inspect(&nb, "t|", Detail::Brief));
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
            "1 + 1", "x = 1", "", "-- c", "x = ", "1 +", "x = 1\nx +", "function f()", "function f()\n  if x then", "f(",
            "{1,", "x = [[", "x = 'a", "x = = 1", "end", "for i = 1, 2 do\nend", "%callers", "return 1 2", "f(1,\n  {",
            "x = 1\nx", "if x then else",
        ];
        let answers: Vec<_> = codes.iter().map(|code| format!("{code:?} {}", ask(code))).collect();
        assert_snapshot!(answers.join("\n"), @"");
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
        assert_snapshot!(ask("x + 1").await, @"");
        assert_snapshot!(ask("nosuch").await, @"");
        assert_snapshot!(ask("nosuch.field").await, @"");
        assert_snapshot!(ask("x +").await, @"");
        assert_snapshot!(ask("x -- comment").await, @"");
        assert_snapshot!(ask("sleep(0)").await, @"");
    });
}
