//! The application of eframe, which owns the attached caller.

use std::{cell::OnceCell, error::Error, future, rc::Rc, time::Duration};

use caller::{Attached, Caller, Pending, Refused, Resident};
use caller_tokio::Tokio;
use eframe::{
    CreationContext, Frame,
    egui::{self, ViewportCommand, ViewportId},
    glow,
};
use tokio::time::sleep;

use crate::{
    args::Args,
    database::Database,
    feed,
    search::Search,
    view::{Asked, View},
};

/// The window's state. eframe drops it in the window's thread when the window is closed, which stops the caller.
pub(crate) struct App {
    attached: Attached,
    view: Resident<View>,
    /// Empty until the database is open.
    search: Rc<OnceCell<Search>>,
}

impl App {
    /// Attaches a caller to the loop of eframe, and begins the program there.
    pub(crate) fn new(
        creation: &CreationContext<'_>,
        args: Args,
    ) -> Result<(Self, Pending<()>), Box<dyn Error + Send + Sync>> {
        let context = creation.egui_ctx.clone();
        // Of the root, which has `logic`. `request_repaint` means the window that is being drawn, if there are several.
        let wake = move || context.request_repaint_of(ViewportId::ROOT);
        let attached = Caller::builder().name("window").backend(Tokio::new()).attach("eframe", wake)?;

        let (gui, context) = (attached.caller().clone(), creation.egui_ctx.clone());
        let view = gui.resident_local(View::default()).map_err(Refused::into_error)?;
        let search = Rc::new(OnceCell::new());
        let app = Self { attached, view: view.clone(), search: search.clone() };
        let program = app.attached.caller().try_call_soon_local(async move || {
            let ended = program(&gui, &view, &search, args).await;
            // Also after an error, which `main` gives.
            context.send_viewport_cmd(ViewportCommand::Close);
            ended
        })?;
        Ok((app, program))
    }
}

impl eframe::App for App {
    /// eframe calls it before each frame, and also while the window is hidden or minimised, when it does not call `ui`.
    fn logic(&mut self, context: &egui::Context, _frame: &mut Frame) {
        if !self.attached.turn() {
            context.send_viewport_cmd(ViewportCommand::Close);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        // This is the thread of the view, which needs no call here. A view that has ended asks for nothing.
        let asked = self.view.with_mut(|view| view.show(ui)).ok().flatten();
        let Some(search) = self.search.get() else { return };
        match asked {
            Some(Asked::Search(query)) => search.begin(query),
            Some(Asked::Cancel) => search.cancel("its button was pressed"),
            None => {}
        }
    }

    fn on_exit(&mut self, _gl: Option<&glow::Context>) {
        // The caller is there until this value is dropped.
        if let Ok(told) = self.view.with(View::told) {
            println!("{told}");
        }
    }
}

/// Runs in the window's thread until the feed ends, or the time is over.
async fn program(
    gui: &Caller,
    view: &Resident<View>,
    search: &OnceCell<Search>,
    args: Args,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // SQLite blocks, so it has a thread of its own, and the window is drawn meanwhile.
    let database = gui.resident_builder().own_thread("sqlite");
    let database = database.try_build(async move || Database::open(args.database, args.rows)).await?;
    let search = search.get_or_init(|| Search::new(gui, view, &database));
    view.with_mut(View::enable)?;
    search.begin(view.with(View::query)?);
    let limit = async {
        match args.seconds {
            Some(seconds) => sleep(Duration::from_secs(seconds)).await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        read = feed::read(gui, view, &database) => read,
        () = limit => Ok(()),
    }
}
