//! How the exchange, Kafka and the store are, in lines of a width. Pure.

use ratatui::text::{Line, Span};

use super::{
    snapshot::{Part, Snapshot, State},
    theme::Theme,
    wrap::wrapped,
};

/// The most lines that the parts and the notes take, so that symbols have room.
const MOST_LINES: usize = 7;
/// Where the text of a part begins.
const INDENT: usize = 11;

/// A line or more for each part, with all there is to say of it.
pub(super) fn full(snapshot: &Snapshot, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let parts = snapshot.parts.iter().flat_map(|part| full_part(part, width, theme));
    let notes = snapshot.notes.iter().flat_map(|note| noted(note, width, theme));
    parts.chain(notes).take(MOST_LINES).collect()
}

/// All parts in one line, and below it what is not as it should be.
pub(super) fn short(snapshot: &Snapshot, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut marks = Vec::new();
    for part in &snapshot.parts {
        let space = if marks.is_empty() { "" } else { "  " };
        marks.push(Span::raw(space));
        marks.push(Span::styled(mark(&part.state), theme.state(&part.state)));
        marks.push(Span::raw(format!(" {}", part.name)));
    }
    let away = snapshot.parts.iter().filter_map(|part| match &part.state {
        State::Away(reason) => Some(format!("{}: {reason}", part.name)),
        State::Waiting(_) | State::Fine(_) => None,
    });
    let news: Vec<String> = away.chain(snapshot.notes.iter().cloned()).collect();
    let news = news.iter().flat_map(|news| noted(news, width, theme));
    [Line::from(marks)].into_iter().chain(news).take(MOST_LINES).collect()
}

fn noted(note: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    wrapped(note, width).into_iter().map(|line| Line::styled(line, theme.warning())).collect()
}

fn full_part(part: &Part, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let text = match &part.state {
        State::Away(reason) => joined(reason, &part.place),
        State::Waiting(text) | State::Fine(text) => joined(&part.place, text),
    };
    let style = match part.state {
        State::Away(_) => theme.warning(),
        State::Waiting(_) | State::Fine(_) => Default::default(),
    };
    let lines = wrapped(&text, width.saturating_sub(INDENT)).into_iter().enumerate();
    let line = |(index, text): (usize, String)| {
        let text = Span::styled(text, style);
        if index > 0 {
            return Line::from(vec![Span::raw(" ".repeat(INDENT)), text]);
        }
        let name = Span::styled(format!(" {:<9}", part.name), theme.strong());
        Line::from(vec![Span::styled(mark(&part.state), theme.state(&part.state)), name, text])
    };
    lines.map(line).collect()
}

/// Both, unless the first has said it all.
fn joined(first: &str, second: &str) -> String {
    match (first, second) {
        ("", text) => text.to_owned(),
        (text, more) if text.contains(more) => text.to_owned(),
        (text, more) => format!("{text} · {more}"),
    }
}

fn mark(state: &State) -> &'static str {
    match state {
        State::Waiting(_) => "○",
        State::Fine(_) => "●",
        State::Away(_) => "✖",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let part = |name, place: &str, state| Part { name, place: place.to_owned(), state };
        Snapshot {
            parts: vec![
                part("exchange", "https://a", State::Fine("prices arrive".to_owned())),
                part("Kafka", "kafka:9092", State::Away("Connection refused, again and again".to_owned())),
                part("store", "a.sqlite", State::Waiting(String::new())),
            ],
            notes: vec!["workers: starting".to_owned()],
            ..Snapshot::default()
        }
    }

    fn texts(lines: Vec<Line<'_>>) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_part_has_a_line_and_a_long_reason_goes_on_below_itself() {
        let lines = texts(full(&snapshot(), 40, Theme { colours: true }));
        let expected = [
            "● exchange https://a · prices arrive",
            "✖ Kafka    Connection refused, again and",
            "           again · kafka:9092",
            "○ store    a.sqlite",
            "workers: starting",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn where_there_is_no_room_parts_share_a_line_and_reasons_follow() {
        let lines = texts(short(&snapshot(), 60, Theme { colours: true }));
        let expected = [
            "● exchange  ✖ Kafka  ○ store",
            "Kafka: Connection refused, again and again",
            "workers: starting",
        ];
        assert_eq!(lines, expected);
    }
}
