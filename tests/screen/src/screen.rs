//! What is seen.

use std::time::{Duration, Instant};

use x11rb::{
    connection::Connection,
    protocol::xproto::{
        Atom, AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, ImageFormat, PropMode, Window,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::color::Color;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many pixels of a color are no accident.
const MANY: usize = 10_000;

/// The screen of the display of the test, as the X server has it: what a window only meant to draw is not seen.
#[derive(Debug)]
pub struct Screen {
    connection: RustConnection,
    number: usize,
}

impl Screen {
    /// Connects to the display of the test.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn open() -> Self {
        let (connection, number) = RustConnection::connect(None).expect("there is a display");
        Self { connection, number }
    }

    /// Waits until much of the screen has this color.
    ///
    /// # Panics
    ///
    /// If it has not after 20 seconds, as if the window is black or frozen.
    pub async fn shows(&self, color: Color) {
        self.until("is not seen", color, |pixels| pixels >= MANY).await;
    }

    /// Waits until none of the screen has this color.
    ///
    /// # Panics
    ///
    /// If some has after 20 seconds.
    pub async fn lacks(&self, color: Color) {
        self.until("is still seen", color, |pixels| pixels == 0).await;
    }

    async fn until(&self, what: &str, color: Color, is_right: impl Fn(usize) -> bool) {
        let begun = Instant::now();
        while !is_right(self.pixels(color)) {
            assert!(begun.elapsed() < PATIENCE, "{color:?} {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the windows to close, as the button of a window manager does.
    ///
    /// # Panics
    ///
    /// If there is no window that can be asked.
    pub fn close_windows(&self) {
        let (protocols, delete) = (self.atom("WM_PROTOCOLS"), self.atom("WM_DELETE_WINDOW"));
        for window in self.windows() {
            let message = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
            let sent = self.connection.send_event(false, window, EventMask::NO_EVENT, message);
            sent.expect("the server hears us").check().expect("the window is there");
        }
    }

    /// Marks the windows as minimised or not, as a window manager does. Without one they stay on the screen.
    ///
    /// # Panics
    ///
    /// If there is no window.
    pub fn minimize_windows(&self, minimized: bool) {
        let state = self.atom("_NET_WM_STATE");
        let states = if minimized { &[self.atom("_NET_WM_STATE_HIDDEN")][..] } else { &[] };
        for window in self.windows() {
            let set =
                self.connection.change_property32(PropMode::REPLACE, window, state, AtomEnum::ATOM, states);
            set.expect("the server hears us").check().expect("the window is there");
        }
    }

    /// The windows that can be asked to close.
    fn windows(&self) -> Vec<Window> {
        let root = self.connection.setup().roots[self.number].root;
        let (protocols, delete) = (self.atom("WM_PROTOCOLS"), self.atom("WM_DELETE_WINDOW"));
        let can_be_asked = |window: &Window| {
            let known = self.connection.get_property(false, *window, protocols, AtomEnum::ATOM, 0, 16);
            // A window may be gone meanwhile.
            let known = known.expect("the server hears us").reply().ok();
            known.is_some_and(|known| {
                known.value32().is_some_and(|mut known| known.any(|known| known == delete))
            })
        };
        let tree = self.connection.query_tree(root).expect("the server hears us").reply();
        let windows: Vec<_> =
            tree.expect("the root has a tree").children.into_iter().filter(can_be_asked).collect();
        assert!(!windows.is_empty(), "there is a window");
        windows
    }

    fn atom(&self, name: &str) -> Atom {
        let atom = self.connection.intern_atom(false, name.as_bytes()).expect("the server hears us");
        atom.reply().expect("there are atoms").atom
    }

    /// The color of one pixel.
    pub fn pixel(&self, x: i16, y: i16) -> Color {
        let image = self.image(x, y, 1, 1);
        let [blue, green, red, ..] = image[..] else { panic!("a pixel has 4 bytes: {image:?}") };
        Color(red, green, blue)
    }

    /// How many pixels have this color.
    fn pixels(&self, Color(red, green, blue): Color) -> usize {
        let root = &self.connection.setup().roots[self.number];
        let image = self.image(0, 0, root.width_in_pixels, root.height_in_pixels);
        image.chunks_exact(4).filter(|pixel| pixel[..3] == [blue, green, red]).count()
    }

    fn image(&self, x: i16, y: i16, width: u16, height: u16) -> Vec<u8> {
        let root = self.connection.setup().roots[self.number].root;
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, root, x, y, width, height, !0);
        image.expect("the server hears us").reply().expect("the screen can be seen").data
    }
}
