//! Figures beside the bars that they have to keep.

/// Prints a figure beside its bar and remembers whether the bar was missed.
#[derive(Default)]
pub(crate) struct Bars {
    missed: Vec<String>,
}

impl Bars {
    pub(crate) fn at_most(&mut self, what: &str, figure: f64, bar: f64, unit: &str) {
        self.note(what, figure, bar, unit, figure <= bar, "at most");
    }

    pub(crate) fn at_least(&mut self, what: &str, figure: f64, bar: f64, unit: &str) {
        self.note(what, figure, bar, unit, figure >= bar, "at least");
    }

    fn note(&mut self, what: &str, figure: f64, bar: f64, unit: &str, met: bool, word: &str) {
        let line = format!("{what:<58} {figure:>10.2} {unit:<8} {word} {bar}");
        println!("{line}{}", if met { "" } else { "   MISSED" });
        if !met {
            self.missed.push(line);
        }
    }

    pub(crate) fn judge(self) {
        assert!(self.missed.is_empty(), "bars missed:\n{}", self.missed.join("\n"));
    }
}

/// The one in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
