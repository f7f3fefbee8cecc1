//! A link in the documentation leads to a file that is there, and one to a section to a heading that is there.

use std::path::{Path, PathBuf};

use pricepipe_tests::generated::path;

#[test]
fn every_link_between_our_own_files_leads_somewhere() {
    let (mut pages, mut links) = (Vec::new(), 0);
    for folder in ["", "docs", "docs/decisions", "charts/pricepipe", "tests/testbed"] {
        let files =
            std::fs::read_dir(path(folder)).expect("a folder").map(|file| file.expect("a file").path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|extension| extension == "md")));
    }
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("text");
        for link in targets(&text).filter(|link| !link.contains("://")) {
            links += 1;
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { folder(page).join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            assert!(
                section.is_empty() || has_section(&target, section),
                "{}: {link}: no such heading",
                page.display()
            );
        }
    }
    assert!(pages.len() > 15 && links > 80, "{links} links in {} pages", pages.len());
}

/// What `[…](…)`, `src="…"` and `srcset="…"` name, outside of code.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2).flat_map(|text| text.split('`').step_by(2));
    prose.flat_map(|prose| {
        ["](", "src=\"", "srcset=\""].into_iter().flat_map(move |start| {
            prose.split(start).skip(1).filter_map(|rest| rest.split([')', '"', ' ', '\n']).next())
        })
    })
}

fn folder(page: &Path) -> PathBuf {
    page.parent().expect("a page is in a folder").to_owned()
}

/// Whether a page has a heading of which the usual anchor is made.
fn has_section(page: &Path, section: &str) -> bool {
    let text = std::fs::read_to_string(page).expect("text");
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).any(|anchor| anchor == section)
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
