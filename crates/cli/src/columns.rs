//! Tables in plain text.

/// Rows below headings, each column as wide as its widest cell; no trailing blanks.
pub(crate) fn table<const N: usize>(headings: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut lines = vec![headings.map(str::to_owned)];
    lines.extend(rows);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: &[String; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["BTCUSDT".to_owned(), "1".to_owned()], ["A".to_owned(), "22".to_owned()]];
        assert_eq!(table(&["SYMBOL", "N"], rows.into_iter()), "SYMBOL   N\nBTCUSDT  1\nA        22");
    }
}
