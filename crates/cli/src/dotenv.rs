//! Reads `.env` of the working folder into the environment; variables that are set already stay as they are.
//!
//! A value means what it says: `$` is a letter like any other, since passwords have it. An error never shows the line,
//! which may hold one.

use std::{fs, io::ErrorKind, path::Path};

use crate::{
    exit::{Exit, Failed},
    output,
};

const FILE: &str = ".env";

/// Reads the file, if there is one.
pub(crate) fn read() -> Result<(), Failed> {
    let path = Path::new(FILE);
    if path.is_dir() {
        // Some keep a Python environment under this name.
        output::note(format!("{FILE} is a folder, not a file of variables; it is not read"));
        return Ok(());
    }
    let invalid = |problem: String| Failed::new(Exit::Invalid, problem);
    match fs::read_to_string(path) {
        Ok(text) => {
            let variables = parse(&text).map_err(|line| {
                let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                invalid(format!("{}:{line}: not NAME=value, or a quote is not closed", place.display()))
            })?;
            load(&variables).map_err(|()| invalid(format!("{FILE}: a variable cannot be set")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(invalid(format!("{FILE}: cannot be read: {error}"))),
    }
}

/// The variables of a text, or the line that is none.
fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let plain = without_substitution(text);
    let line = |error: dotenvy::Error| match error {
        // Where it stands: the error has the rest of the line, or of a value of several lines.
        dotenvy::Error::LineParse(rest, _) => {
            plain.find(rest.trim_end()).map_or(1, |at| plain[..at].matches('\n').count() + 1)
        }
        _ => 1,
    };
    dotenvy::Iter::new(plain.as_bytes()).collect::<Result<_, _>>().map_err(line)
}

/// Writes each `$` so that it stands for itself.
fn without_substitution(text: &str) -> String {
    let (mut plain, mut literal, mut escaped, mut quoted) = (String::new(), false, false, false);
    for letter in text.chars() {
        match letter {
            '$' if !literal && !escaped => plain.push('\\'),
            '\'' if !escaped && !quoted => literal = !literal,
            '"' if !escaped && !literal => quoted = !quoted,
            // An apostrophe in a comment does not reach into the next line.
            '\n' if !value_goes_on(literal, quoted, &plain) => (literal, quoted) = (false, false),
            _ => {}
        }
        escaped = letter == '\\' && !literal && !escaped;
        plain.push(letter);
    }
    plain
}

/// Whether a quote that is open began a value, which may have several lines.
fn value_goes_on(literal: bool, quoted: bool, before: &str) -> bool {
    let line = before.lines().next_back().unwrap_or_default();
    (literal || quoted) && !line.contains('#')
}

fn load(variables: &[(String, String)]) -> Result<(), ()> {
    for (name, value) in variables {
        // In strong quotes nothing has a meaning but the quote itself.
        let line = format!("{name}='{}'", value.replace('\'', "'\"'\"'"));
        dotenvy::from_read(line.as_bytes()).map_err(|_| ())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> String {
        parse(line).unwrap().remove(0).1
    }

    #[test]
    fn a_dollar_is_a_letter_like_any_other() {
        for (written, meant) in [
            ("P=pa$$word", "pa$$word"),
            ("P=\"pa$HOME\"", "pa$HOME"),
            ("P='pa${HOME}'", "pa${HOME}"),
            ("P=pa\\$x", "pa$x"),
            ("P=\"it's $5\"", "it's $5"),
            ("export P=a$b # it's a comment", "a$b"),
        ] {
            assert_eq!(value(written), meant, "{written}");
        }
    }

    #[test]
    fn a_faulty_line_is_named_by_its_number() {
        assert_eq!(parse("# it's fine\nA=1\n\nno value\nB=2\n").unwrap_err(), 4);
        assert_eq!(parse("A=1\nB=two words\n").unwrap_err(), 2);
        assert_eq!(parse("A=1\nB=$x\n").unwrap().len(), 2);
    }
}
