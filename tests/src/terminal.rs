//! A program in a terminal of its own, and what it shows there.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

use crate::worker::binary;

/// How long the terminal may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal with `pricepipe` in it.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<Parser>>,
    reader: Option<JoinHandle<()>>,
    /// How the terminal was set up before.
    modes: String,
}

impl Terminal {
    /// Starts `pricepipe` in a folder, with these arguments and variables and no others.
    pub fn start(
        (columns, lines): (u16, u16),
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Terminal {
        let size = PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(binary("pricepipe"));
        command.args(arguments);
        command.cwd(folder);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        environment.iter().for_each(|(name, value)| command.env(name, value));
        let modes = format!("{:?}", pair.master.get_termios());
        let child = pair.slave.spawn_command(command).expect("it starts");
        let mut output = pair.master.try_clone_reader().expect("a reader");
        let screen = Arc::new(Mutex::new(Parser::new(size_of(lines), size_of(columns), 0)));
        let parser = screen.clone();
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal whose last user has gone ends with an error.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                parser.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Terminal {
            child,
            keyboard: pair.master.take_writer().expect("a writer"),
            master: pair.master,
            screen,
            reader: Some(reader),
            modes,
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).and_then(|()| self.keyboard.flush()).expect("a keyboard");
    }

    /// Sends the process a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let process = self.child.process_id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &process]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal}");
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&self, columns: u16, lines: u16) {
        let size = PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).expect("another size");
        self.with(|screen| screen.screen_mut().set_size(size_of(lines), size_of(columns)));
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.with(|parser| parser.screen().contents())
    }

    /// Looks at the screen.
    pub fn with<T>(&self, look: impl FnOnce(&mut Parser) -> T) -> T {
        look(&mut self.screen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the screen is so.
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let text = self.text();
            if is_so(&text) {
                return text;
            }
            assert!(start.elapsed() < PATIENCE, "{what} is not to be seen:\n{text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether any cell has a colour or another style.
    pub fn is_styled(&self) -> bool {
        self.with(|parser| {
            let screen = parser.screen();
            let (lines, columns) = screen.size();
            let cells =
                (0..lines.get()).flat_map(|line| (0..columns.get()).map(move |column| (line, column)));
            cells.filter_map(|(line, column)| screen.cell(line, column)).any(|cell| {
                let plain = vt100::Color::Default;
                cell.fgcolor() != plain
                    || cell.bgcolor() != plain
                    || cell.bold()
                    || cell.dim()
                    || cell.inverse()
            })
        })
    }

    /// Waits for the end; the exit code. The terminal has to be as it was: its first screen, with a cursor, in the
    /// modes that it had.
    pub fn end(&mut self) -> u32 {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE * 2, "it still runs:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        };
        let modes = format!("{:?}", self.master.get_termios());
        assert_eq!(modes, self.modes, "the terminal's modes");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        let (alternate, hidden) =
            self.with(|parser| (parser.screen().alternate_screen(), parser.screen().hide_cursor()));
        assert!(!alternate && !hidden, "alternate screen {alternate}, cursor hidden {hidden}");
        status.exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size_of(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has a size")
}
