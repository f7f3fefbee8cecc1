//! What is written on: elements of SVG, and how wide a text is.

use std::fmt::Write as _;

use super::{FAMILY, Size};
use crate::Theme;

/// Which part of a text stands where it is put.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A document that grows.
pub(super) struct Sheet {
    out: String,
    pub(super) theme: Theme,
    /// A pixel of a picture that is 1200 wide.
    pub(super) unit: f64,
}

impl Sheet {
    pub(super) fn new(size: Size, theme: Theme, unit: f64, title: &str) -> Self {
        let Size { width, height } = size;
        let out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"{FAMILY}, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">\n\
             <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
            escaped(title),
            theme.background()
        );
        Sheet { out, theme, unit }
    }

    pub(super) fn text(&mut self, at: (f64, f64), text: &str, size: f64, anchor: Anchor, color: &str) {
        self.element_of_text(at, text, size, anchor, &format!("fill=\"{color}\""));
    }

    /// A text that stands out; by its outline, for the font has one weight.
    pub(super) fn strong_text(&mut self, at: (f64, f64), text: &str, size: f64) {
        let color = self.theme.text();
        let style = format!("fill=\"{color}\" stroke=\"{color}\" stroke-width=\"{:.2}\"", size * 0.035);
        self.element_of_text(at, text, size, Anchor::Start, &style);
    }

    /// A text that stays readable on whatever is below it.
    pub(super) fn text_on_top(&mut self, at: (f64, f64), text: &str, size: f64, color: &str) {
        let halo = self.theme.background();
        let style = format!(
            "fill=\"{color}\" stroke=\"{halo}\" stroke-width=\"{}\" stroke-linejoin=\"round\" paint-order=\"stroke\"",
            short(4.0 * self.unit)
        );
        self.element_of_text(at, text, size, Anchor::Middle, &style);
    }

    fn element_of_text(&mut self, at: (f64, f64), text: &str, size: f64, anchor: Anchor, style: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y, size, text) = (short(at.0), short(at.1), short(size), escaped(text));
        self.write(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{anchor} {style}>{text}</text>"
        ));
    }

    /// A hairline.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), color: &str) {
        self.stroke(&format!("M{}L{}", point(from), point(to)), color, 1.0, "");
    }

    /// A path that is drawn; `more` may hold further attributes.
    pub(super) fn stroke(&mut self, path: &str, color: &str, width: f64, more: &str) {
        let width = short(width * self.unit);
        self.write(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{more}/>"
        ));
    }

    /// A path that is filled; `more` may hold further attributes.
    pub(super) fn fill(&mut self, path: &str, color: &str, more: &str) {
        self.write(format_args!("<path d=\"{path}\" fill=\"{color}\"{more}/>"));
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }

    fn write(&mut self, element: std::fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = writeln!(self.out, "{element}");
    }
}

/// A place, as paths have it.
pub(super) fn point((x, y): (f64, f64)) -> String {
    format!("{} {}", short(x), short(y))
}

/// A number with one decimal at most.
pub(super) fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// About how wide a text is in any of the usual fonts without serifs; rather too wide than too narrow.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let share = |c: char| match c {
        'i' | 'j' | 'l' | '\'' | '|' | '.' | ',' | ':' | ';' | 'I' | ' ' | '·' => 0.29,
        'f' | 't' | 'r' | '-' | '(' | ')' | '/' | '1' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '±' | '–' | '@' => 0.86,
        'A'..='Z' => 0.69,
        _ => 0.57,
    };
    text.chars().map(share).sum::<f64>() * size
}

/// The text, or as much of its beginning as there is room for.
pub(super) fn shortened(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while !kept.is_empty() && width(&kept, size) + size > room {
        kept.pop();
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_texts_are_escaped() {
        assert_eq!([1.0, 1.25, -0.01, 12.34].map(short), ["1", "1.2", "0", "12.3"]);
        assert_eq!(escaped("a < b & c > d"), "a &lt; b &amp; c &gt; d");
    }

    #[test]
    fn a_text_without_room_is_shortened() {
        assert_eq!(shortened("BTCUSDT", 10.0, 100.0), "BTCUSDT");
        let short = shortened("BTCUSDT, ETHUSDT, SOLUSDT", 10.0, 100.0);
        assert!(short.ends_with('…') && width(&short, 10.0) <= 100.0, "{short}");
    }
}
