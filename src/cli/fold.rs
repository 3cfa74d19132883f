//! Folding: text for people fits the terminal. Words are never cut, so that ids, names and commands can be copied.

use std::os::fd::AsFd;

/// The width where there is no terminal to ask.
pub const WIDTH: u16 = 80;
/// Narrower than this nothing is folded any further.
const WIDTH_MIN: usize = 40;

/// How wide a terminal is; 80 where there is none.
pub fn width(terminal: impl AsFd) -> u16 {
    rustix::termios::tcgetwinsize(terminal).map_or(WIDTH, |size| if size.ws_col == 0 { WIDTH } else { size.ws_col })
}

/// Folds every line that is longer than `width` characters at its spaces; what is carried over is indented by four more.
pub fn fold(text: &str, width: u16) -> String {
    let width = usize::from(width).max(WIDTH_MIN);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches('\n').chars().count() <= width {
            out.push_str(line);
        } else {
            fold_line(&mut out, line, width);
        }
    }
    out
}

fn fold_line(out: &mut String, line: &str, width: usize) {
    let bare = line.trim_end_matches('\n');
    let indent = bare.len() - bare.trim_start_matches(' ').len();
    let carried = " ".repeat(indent + 4);
    out.push_str(&bare[..indent]);
    let mut at = indent;
    let mut begun = false;
    for word in bare[indent..].split_inclusive(' ') {
        let length = word.trim_end_matches(' ').chars().count();
        if begun && length > 0 && at + length > width {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(&carried);
            at = carried.len();
        }
        out.push_str(word);
        at += word.chars().count();
        begun = true;
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push_str(&line[bare.len()..]);
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn long_lines_are_folded_at_spaces_and_indented() {
        let text = "short\n    because assigned (support ▸ tier-1 ▸ a group with a name of many words)\n";
        let folded =
            "short\n    because assigned (support ▸ tier-1 ▸\n        a group with a name of many\n        words)\n";
        assert_eq!(fold(text, 40), folded);
        assert_eq!(fold(text, 120), text);
    }

    #[test]
    fn no_word_is_cut_and_none_is_lost() {
        let word = "x".repeat(90);
        let text = format!("a {word} b  c {word}\n{word}");
        for width in [0, 40, 80] {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
            assert_eq!(words(&fold(&text, width)), words(&text));
        }
    }
}
