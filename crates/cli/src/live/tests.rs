//! The picture at several sizes, line for line.

use std::time::Duration;

use ratatui::{Terminal, backend::TestBackend, style::Color};

use super::{
    Titles,
    controls::{Controls, Sort},
    frame::{Scene, draw},
    picture::{logs, snapshot, titles, trends},
    snapshot::{Phase, Row, Snapshot},
    theme::Theme,
    trends::Trends,
};
use crate::live::row;

fn drawn(width: u16, height: u16, scene: &Scene<'_>) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| _ = draw(frame, scene)).unwrap();
    terminal
}

/// The picture of these controls and this moment, without the quotes that the backend writes.
fn picture(width: u16, height: u16, controls: Controls, snapshot: &Snapshot) -> String {
    let (titles, trends, logs, theme) = (titles(), trends(), logs(), Theme { colours: true });
    let scene = Scene { titles: &titles, snapshot, trends: &trends, logs: &logs, controls, theme };
    let terminal = drawn(width, height, &scene);
    let lines = terminal.backend().to_string();
    lines.lines().map(|line| line.trim_matches('"').trim_end().to_owned() + "\n").collect()
}

fn many(symbols: usize) -> Snapshot {
    let rows = (0..symbols).map(|n| row(&format!("S{n}"), "1.0", 1)).collect();
    Snapshot { rows, ..snapshot() }
}

/// Compares with a file of `golden/`, or writes it when UPDATE is set.
fn same(name: &str, picture: &str) {
    let file = format!("{}/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, picture).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(picture, golden, "{file} is another picture; UPDATE=1 writes it\n{picture}");
}

#[test]
fn pictures_of_every_size_are_up_to_date() {
    for (width, height) in [(80, 24), (120, 40), (50, 15), (40, 10)] {
        same(&format!("live-{width}x{height}"), &picture(width, height, Controls::default(), &snapshot()));
    }
    same("live-help-80x24", &picture(80, 24, Controls { help: true, ..Controls::default() }, &snapshot()));
    let sorted = Controls { sort: Sort::Change, reversed: true, paused: true, ..Controls::default() };
    same("live-sorted-80x24", &picture(80, 24, sorted, &snapshot()));
    let scrolled = Controls { first: 12, ..Controls::default() };
    same("live-scrolled-80x24", &picture(80, 24, scrolled, &many(40)));
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let (titles, trends, logs, theme) = (titles(), trends(), logs(), Theme { colours: true });
    for snapshot in [snapshot(), many(300), Snapshot::default()] {
        for help in [false, true] {
            let controls = Controls { help, first: usize::MAX, ..Controls::default() };
            let scene =
                Scene { titles: &titles, snapshot: &snapshot, trends: &trends, logs: &logs, controls, theme };
            for width in [1, 2, 3, 5, 13, 39, 63, 64, 65, 300] {
                for height in [1, 2, 3, 4, 5, 7, 11, 17, 18, 19, 100] {
                    drawn(width, height, &scene);
                }
            }
        }
    }
}

#[test]
fn the_end_of_a_long_list_is_reached() {
    let end = Controls { first: usize::MAX, ..Controls::default() };
    for (width, height) in [(80, 24), (50, 12)] {
        let picture = picture(width, height, end, &many(300));
        assert!(picture.contains("S299 ") && picture.contains("–300 of 300"), "{picture}");
    }
}

#[test]
fn a_run_that_drains_says_so_and_how_to_stop_at_once() {
    let draining = Snapshot { phase: Phase::Draining, ..snapshot() };
    for (width, height) in [(80, 24), (60, 12)] {
        let picture = picture(width, height, Controls::default(), &draining);
        assert!(picture.contains("draining, up to 25 s; Ctrl-C again stops at once"), "{picture}");
    }
}

#[test]
fn without_colours_nothing_is_styled() {
    let stale = Row { age: Some(Duration::from_secs(60)), ..row("OLD", "1", 1) };
    let snapshot = Snapshot { rows: vec![row("A", "101", 1), stale], ..snapshot() };
    let (titles, trends, logs) = (titles(), trends(), logs());
    let controls = Controls { help: true, paused: true, ..Controls::default() };
    let styled = |colours, controls| {
        let theme = Theme { colours };
        let scene =
            Scene { titles: &titles, snapshot: &snapshot, trends: &trends, logs: &logs, controls, theme };
        let terminal = drawn(80, 24, &scene);
        let cells = terminal.backend().buffer().content().to_vec();
        cells
            .iter()
            .any(|cell| !cell.modifier.is_empty() || cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    for controls in [controls, Controls::default()] {
        assert!(styled(true, controls) && !styled(false, controls));
    }
}

#[test]
fn log_lines_give_way_to_symbols_but_for_a_few() {
    let logs: Vec<String> = (0..50).map(|n| format!("entry {n}")).collect();
    let titles = Titles::default();
    let shown = |snapshot: &Snapshot| {
        let (controls, theme, trends) = (Controls::default(), Theme { colours: false }, Trends::default());
        let scene = Scene { titles: &titles, snapshot, trends: &trends, logs: &logs, controls, theme };
        let terminal = drawn(80, 24, &scene);
        terminal.backend().to_string().matches("entry ").count()
    };
    assert_eq!(shown(&many(300)), 4);
    let few = shown(&many(2));
    assert!(few > 4, "{few}");
}
