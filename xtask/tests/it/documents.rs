//! What is written about the code is still so: links lead somewhere, each word is explained once,
//! the page of settings is current, names of our types exist, and the project speaks of itself alone.

use std::collections::BTreeSet;

use xtask::{command_page, http_page, settings_page};

use crate::rust::has_word;
use crate::tree::{TextFile, files, read, root};

/// What only makes sense on the machine somebody worked on. In parts, so that this file itself
/// passes.
const WORKPLACE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("shared", "/spec"),
    concat!("shared", "/design"),
    concat!("shared", "/peers"),
    concat!("issues", " show"),
];

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in files(".md") {
        for target in links(&page.text) {
            count += 1;
            if is_elsewhere(&target) {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let file = if path.is_empty() { root().join(&page.path) } else { root().join(folder).join(path) };
            if !file.exists() {
                wrong.push(format!("{}: {target} is not there", page.path));
            } else if !anchor.is_empty() {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                if !headings(&text).any(|heading| slug(heading) == anchor) {
                    wrong.push(format!("{}: {target} has no such heading", page.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 20, "only {count} links were found");
}

#[test]
fn a_word_is_explained_once_and_found_by_the_alphabet() {
    let glossary = read("GLOSSARY.md");
    let words: Vec<String> = glossary
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**"))
        .map(|(word, _)| word.to_lowercase())
        .collect();
    assert!(words.len() > 30, "only {} words were found", words.len());
    for pair in words.windows(2) {
        assert!(pair[0] < pair[1], "`{}` stands before `{}`", pair[0], pair[1]);
    }
}

#[test]
fn pages_that_are_made_are_current() {
    for (path, page, how) in [
        (settings_page::PATH, settings_page::page(), "settings"),
        (command_page::PATH, command_page::page(), "manual"),
        (http_page::PATH, http_page::page(), "manual"),
    ] {
        // Not assert_eq, which would print both.
        assert!(read(path) == page, "{path} is not what the code says: run `cargo xtask {how}`");
    }
}

#[test]
fn every_page_is_in_the_book_once() {
    let listed = links(&read("docs/SUMMARY.md"));
    let mut pages: Vec<String> = files(".md")
        .into_iter()
        .filter_map(|file| file.path.strip_prefix("docs/").map(str::to_owned))
        .filter(|path| path != "SUMMARY.md")
        .collect();
    for page in &listed {
        assert!(pages.contains(page), "docs/SUMMARY.md lists {page} twice, or it is not there");
        pages.retain(|path| path != page);
    }
    assert!(pages.is_empty(), "docs/SUMMARY.md does not list {}", pages.join(", "));
}

#[test]
fn a_page_of_the_book_links_to_pages_of_the_book_alone() {
    let mut wrong = Vec::new();
    for page in files(".md").into_iter().filter(|page| page.path.starts_with("docs/")) {
        for target in links(&page.text).into_iter().filter(|target| !is_elsewhere(target)) {
            let path = target.split('#').next().unwrap_or_default();
            // How many folders below `docs` the page is, and how many of them the link leaves.
            let below = page.path.matches('/').count() - 1;
            let left = path.split('/').filter(|part| *part == "..").count();
            if left > below || !(path.is_empty() || path.ends_with(".md")) {
                wrong.push(format!("{}: {target} is not in the book", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_heading_ends_in_braces_which_a_book_would_take_for_its_attributes() {
    for page in files(".md") {
        let wrong = headings(&page.text).find(|heading| heading.ends_with('}'));
        assert!(wrong.is_none(), "{}: {}", page.path, wrong.unwrap_or_default());
    }
}

#[test]
fn a_heading_of_a_made_page_has_an_anchor_of_its_own() {
    for page in [command_page::page(), http_page::page()] {
        let mut seen = BTreeSet::new();
        for heading in headings(&page) {
            assert!(seen.insert(slug(heading)), "two headings are {}", slug(heading));
        }
    }
}

#[test]
fn names_of_our_code_in_the_documents_are_in_our_code() {
    let sources: Vec<TextFile> = files(".rs");
    let mut wrong = BTreeSet::new();
    let mut count = 0;
    for page in files(".md") {
        for name in code_font(&page.text).filter(|text| is_path_of_names(text)) {
            count += 1;
            let name = name.trim_end_matches("()");
            let exists = match room(name) {
                Some(file) => root().join(file).exists(),
                None => {
                    let has_all = |file: &TextFile| name.split("::").all(|part| has_word(&file.text, part));
                    sources.iter().any(has_all)
                }
            };
            if !exists {
                wrong.insert(format!("{}: there is no `{name}`", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(count > 10, "only {count} names were found");
}

#[test]
fn files_of_ours_in_the_documents_are_there() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in files(".md") {
        let is_ours = |text: &&str| {
            let folders = ["crates/", "docs/", "e2e/", "tests/", "xtask/"];
            folders.iter().any(|folder| text.starts_with(folder)) && !text.contains(['*', ' ', '<', ':'])
        };
        for path in code_font(&page.text).filter(is_ours) {
            count += 1;
            if !root().join(path).exists() {
                wrong.push(format!("{}: {path} is not there", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 10, "only {count} files were found");
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let mut wrong = Vec::new();
    for file in files("") {
        for text in WORKPLACE {
            if file.text.contains(text) {
                wrong.push(format!("{} has `{text}`", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_decision_says_what_was_given_up_and_how_an_error_would_show() {
    let decisions: Vec<TextFile> =
        files(".md").into_iter().filter(|file| file.path.starts_with("docs/decisions/")).collect();
    assert!(decisions.len() > 10, "only {} decisions were found", decisions.len());
    let index = read("docs/decisions/README.md");
    for decision in decisions {
        let name = decision.path.rsplit('/').next().expect("a path has a last part");
        if name == "README.md" {
            continue;
        }
        let parts = ["Question", "Choice", "What we gave up", "How we would know we were wrong"];
        let found: Vec<&str> = headings(&decision.text).skip(1).collect();
        assert_eq!(found, parts, "{}", decision.path);
        assert!(index.contains(name), "docs/decisions/README.md does not list {name}");
    }
}

/// A name of several parts, as in `State::Error` or `core::queue`.
fn is_path_of_names(text: &str) -> bool {
    let parts: Vec<&str> = text.trim_end_matches("()").split("::").collect();
    let is_name = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    parts.len() > 1 && parts.iter().all(is_name)
}

/// The file of a room, when `name` is one of our crates and a module in it.
fn room(name: &str) -> Option<String> {
    let (first, module) = name.split_once("::")?;
    let folder = first.strip_prefix("bits_").unwrap_or(first);
    let is_crate = root().join("crates").join(folder).is_dir();
    let is_module = module.starts_with(|c: char| c.is_ascii_lowercase()) && !module.contains("::");
    (is_crate && is_module).then(|| format!("crates/{folder}/src/{module}.rs"))
}

/// What stands in code font in the prose of a page.
pub(crate) fn code_font(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    let lines = page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    });
    lines.flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The targets of the links of a page, without those in examples of code.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let parts = prose.split("](").skip(1);
    parts.filter_map(|part| part.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// Whether a link leads out of the repository.
fn is_elsewhere(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|prefix| target.starts_with(prefix))
}

fn headings(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter_map(move |line| {
        in_code ^= line.trim_start().starts_with("```");
        let text = line.trim_start_matches('#');
        (!in_code && text.len() < line.len()).then(|| text.strip_prefix(' ')).flatten()
    })
}

/// A page without its fenced code and without what stands in code font.
fn prose(page: &str) -> String {
    let mut in_code = false;
    let lines = page.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    });
    lines.flat_map(|line| line.split('`').step_by(2).chain(["\n"])).collect()
}

/// A heading as the link to it has it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
