//! The commands of a page: its blocks of `sh`, each with the block of `text` after it, if any.

use anyhow::{Result, ensure};

/// A block that is not run, because it downloads what the test already has, or is an alternative to another block.
const NOT_RUN: &str = "sh not-run";

/// Commands that are run together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) section: String,
    pub(crate) line: usize,
    pub(crate) script: String,
    pub(crate) is_run: bool,
    /// Lines that the output must have, in this order; `...` in a line matches anything.
    pub(crate) shown: Vec<String>,
}

/// The blocks of a page.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut section = String::new();
    // Whether there were only blank lines since the last block of commands.
    let mut is_beside = false;
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            if let Some(title) = line.strip_prefix("## ") {
                title.clone_into(&mut section);
            }
            is_beside &= line.trim().is_empty();
            continue;
        };
        let mut content = Vec::new();
        let mut is_closed = false;
        for (_, line) in lines.by_ref() {
            is_closed = line.trim() == "```";
            if is_closed {
                break;
            }
            content.push(line);
        }
        ensure!(is_closed, "line {}: the block does not end", at + 1);
        match (info, blocks.last_mut()) {
            ("sh" | NOT_RUN, _) => blocks.push(Block {
                section: section.clone(),
                line: at + 1,
                script: content.join("\n"),
                is_run: info != NOT_RUN,
                shown: Vec::new(),
            }),
            ("text", Some(block)) if is_beside => {
                block.shown = content.iter().map(|line| (*line).to_owned()).collect();
            }
            _ => {}
        }
        is_beside = info == "sh";
    }
    ensure!(!blocks.is_empty(), "the page has no commands");
    Ok(blocks)
}

/// The first shown line that the output does not have after the previous ones.
pub(crate) fn missing<'a>(shown: &'a [String], output: &str) -> Option<&'a str> {
    let mut lines = output.lines();
    let mut wanted = shown.iter();
    wanted
        .find(|wanted| !lines.any(|line| fits(wanted.trim(), line)))
        .map(String::as_str)
}

/// Whether a line has the parts of a pattern, in order.
fn fits(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    pattern.split("...").all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_commands_and_what_they_show() {
        let text = "# A\n## One\n```sh\na\nb\n```\n\n```text\nx ... y\n```\n\n```yaml\nk: v\n```\n\n```text\nz\n```\n## Two\n```sh not-run\nc\n```\n";
        let found = blocks(text).unwrap();
        let block = |section: &str, line, script: &str, is_run, shown: &[&str]| Block {
            section: section.to_owned(),
            line,
            script: script.to_owned(),
            is_run,
            shown: shown.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(
            found,
            [
                block("One", 3, "a\nb", true, &["x ... y"]),
                block("Two", 20, "c", false, &[]),
            ]
        );
        assert!(blocks("```sh\na\n").is_err(), "a block without an end");
        assert!(blocks("# A\n").is_err(), "a page without commands");
    }

    #[test]
    fn what_is_shown_stands_in_the_output_in_its_order() {
        let shown = ["a ... c".to_owned(), "d".to_owned()];
        assert_eq!(missing(&shown, "0\na b c\n1\n2d3\n"), None);
        assert_eq!(missing(&shown, "2d3\na b c\n"), Some("d"));
        assert_eq!(missing(&shown, "c b a\nd\n"), Some("a ... c"));
        assert_eq!(missing(&[], ""), None);
    }
}
