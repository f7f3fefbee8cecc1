//! `pricepipe man`: manual pages, made from the command line's own definition.

use std::{io, path::PathBuf};

use clap::{Args, Command};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use crate::{
    exit::{Exit, Failed},
    output,
};

/// Shown by `pricepipe man --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe man query candles | man -l -
  pricepipe man --dir /usr/local/share/man/man1";

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command whose page is printed, as in `query candles` [default: pricepipe itself]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub command: Vec<String>,
    /// Write the pages of all commands into this folder, which is made where it is missing
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// Prints a page, or writes all of them.
pub(crate) fn man(args: &ManArgs, mut root: Command) -> Result<(), Failed> {
    // Names such as pricepipe-query-candles are given here.
    root.build();
    let Some(folder) = &args.dir else {
        return output::answer(&page(wanted(root, &args.command)?));
    };
    let failed =
        |error: io::Error| Failed::new(Exit::Failure, format!("--dir {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    for command in all(root) {
        let name = format!("{}.1", command.get_display_name().unwrap_or(command.get_name()));
        std::fs::write(folder.join(name), page(command)).map_err(failed)?;
    }
    Ok(())
}

/// The command that these words name.
fn wanted(root: Command, words: &[String]) -> Result<Command, Failed> {
    words.iter().try_fold(root, |command, word| match command.find_subcommand(word) {
        Some(found) => Ok(found.clone()),
        None => {
            let known: Vec<&str> = commands(&command).map(Command::get_name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("{word}: {} has no such command; it has {known}", command.get_name());
            Err(Failed::new(Exit::NotFound, message))
        }
    })
}

/// A command and all below it.
fn all(command: Command) -> Vec<Command> {
    let below: Vec<Command> = commands(&command).cloned().flat_map(all).collect();
    [command].into_iter().chain(below).collect()
}

/// What is below a command, without clap's own `help`.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set())
}

fn page(command: Command) -> String {
    let notes = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let has_options = command.get_arguments().any(|argument| !argument.is_hide_set());
    let has_commands = commands(&command).next().is_some();
    let man = Man::new(command).manual("pricepipe").source(concat!("pricepipe ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    let rendered = man
        .render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| man.render_synopsis_section(&mut page))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| if has_options { man.render_options_section(&mut page) } else { Ok(()) })
        .and_then(|()| if has_commands { man.render_subcommands_section(&mut page) } else { Ok(()) })
        .and_then(|()| sections(&notes).to_writer(&mut page));
    debug_assert!(rendered.is_ok(), "memory takes everything");
    String::from_utf8_lossy(&page).into_owned()
}

/// What follows the options in the help. A paragraph whose first line ends with a colon becomes a section whose lines
/// stay as they are; clap_mangen would run examples together.
fn sections(notes: &str) -> Roff {
    let mut roff = Roff::new();
    for paragraph in notes.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        match paragraph.split_once('\n') {
            Some((title, lines)) if title.ends_with(':') => {
                roff.control("SH", [title.trim_end_matches(':').to_uppercase().as_str()]);
                roff.control("nf", []);
                for line in lines.lines() {
                    roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
                }
                roff.control("fi", []);
            }
            _ => {
                roff.control("PP", []);
                roff.text([roman(paragraph.replace('\n', " "))]);
            }
        }
    }
    roff
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    fn page_of(words: &[&str]) -> Result<String, Failed> {
        let mut root = Cli::command();
        root.build();
        wanted(root, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).map(page)
    }

    #[test]
    fn examples_keep_their_lines_and_exit_codes_have_a_section() {
        let page = page_of(&["query", "candles"]).unwrap();
        assert!(page.contains(".TH pricepipe-query-candles 1"), "{page}");
        assert!(page.contains(".SH EXAMPLES\n.nf\npricepipe query candles "), "{page}");
        let page = page_of(&[]).unwrap();
        assert!(page.contains(".SH \"EXIT CODES\"\n.nf\n0    all went well\n"), "{page}");
    }

    #[test]
    fn a_command_that_is_not_there_is_told_with_those_that_are() {
        let failed = page_of(&["query", "candels"]).unwrap_err();
        assert!(failed.exit == Exit::NotFound && failed.message.contains("candles"), "{failed}");
    }

    #[test]
    fn every_command_has_a_page() {
        let mut root = Cli::command();
        root.build();
        let names: Vec<String> =
            all(root).iter().filter_map(|c| c.get_display_name().map(str::to_owned)).collect();
        assert!(names.len() > 12 && names.contains(&"pricepipe-query-latest".to_owned()), "{names:?}");
    }
}
