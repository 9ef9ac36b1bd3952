use super::*;
#[test]
fn tmp() {
    let interrupter = std::sync::Arc::new(std::sync::OnceLock::<caller_kernel::shell::Interrupter>::new());
    let i2 = interrupter.clone();
    let exposed = caller_kernel::lua::Exposed::new().function("stop", "", move |()| { i2.get().unwrap().interrupt(); });
    notebook_of(LuaLanguage::new().expose(exposed), async move |nb| {
        interrupter.set(nb.shell.interrupter()).unwrap();
        eprintln!("{}", nb.run(&std::env::var("CODE").unwrap()).await);
    });
}
