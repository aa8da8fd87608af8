//! One line for each thing that is said, whatever text of others is in it: the name of a file, or what Envoy says of an object,
//! may hold line feeds, and would else begin lines of its own in the agent's log, or in what `check` prints.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes events of the log to what it wraps. Every event comes as one write.
#[derive(Debug)]
pub(crate) struct OneLine<W> {
    inner: W,
    escape: fn(char) -> String,
}

impl<W> OneLine<W> {
    /// For lines of text.
    pub(crate) fn text(inner: W) -> Self {
        Self {
            inner,
            escape: |letter| letter.escape_default().to_string(),
        }
    }

    /// For lines of JSON, which stay JSON. All that is escaped here is of 16 bits.
    pub(crate) fn json(inner: W) -> Self {
        Self {
            inner,
            escape: |letter| format!("\\u{:04x}", u32::from(letter)),
        }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.inner.write_all(escaped(line, self.escape).as_bytes())?;
        self.inner.write_all(b"\n")?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Control characters, and what else ends a line or turns it round on a terminal, as their escapes.
pub(crate) fn in_one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter.escape_default().to_string())
}

fn escaped(text: &str, escape: fn(char) -> String) -> Cow<'_, str> {
    let is_bad = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_bad) {
        return text.into();
    }
    let letters = text.chars().map(|letter| match letter {
        letter if is_bad(letter) => escape(letter),
        letter => letter.to_string(),
    });
    letters.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let mut written = Vec::new();
        let mut log = OneLine::text(&mut written);
        log.write_all("File a\n2026 ERROR forged\r\u{1b}[1m\u{2028}ü\tx\n".as_bytes())
            .unwrap();
        log.write_all(b"another\n").unwrap();
        let expected = "File a\\n2026 ERROR forged\\r\\u{1b}[1m\\u{2028}ü\\tx\nanother\n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn a_line_of_json_stays_json() {
        let mut written = Vec::new();
        let event = serde_json::json!({"message": "a\u{2028}\u{202e}b\n\u{7f}"});
        OneLine::json(&mut written)
            .write_all(format!("{event}\n").as_bytes())
            .unwrap();
        let text = String::from_utf8(written).unwrap();
        assert!(!text.contains(['\u{2028}', '\u{202e}', '\u{7f}']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), event);
    }
}
