//! Who gets how many rows.

/// What a section could do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// With less it says nothing.
    pub(super) least: usize,
    /// With this it says what matters.
    pub(super) good: usize,
    /// More would stay empty.
    pub(super) most: usize,
}

/// Deals `rows`: first everybody the least, then what is good, then what is there. Earlier ones
/// come first; what is too much for the rows gets none.
pub(super) fn deal(needs: &[Need], rows: usize) -> Vec<usize> {
    let mut left = rows;
    let mut dealt = vec![0; needs.len()];
    let steps: [fn(&Need) -> usize; 3] = [|need| need.least, |need| need.good, |need| need.most];
    for step in steps {
        for (need, got) in needs.iter().zip(&mut dealt) {
            let more = step(need).min(need.most).saturating_sub(*got);
            let more = if *got == 0 && more > left { 0 } else { more.min(left) };
            *got += more;
            left -= more;
        }
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_dealt_by_need_and_order() {
        let needs = [
            Need { least: 2, good: 4, most: 4 },
            Need { least: 2, good: 6, most: 21 },
            Need { least: 2, good: 5, most: 100 },
        ];
        assert_eq!(deal(&needs, 5), [3, 2, 0]);
        assert_eq!(deal(&needs, 6), [2, 2, 2]);
        assert_eq!(deal(&needs, 9), [4, 3, 2]);
        assert_eq!(deal(&needs, 15), [4, 6, 5]);
        assert_eq!(deal(&needs, 50), [4, 21, 25]);
    }
}
