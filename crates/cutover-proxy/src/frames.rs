//! Where the frames of a WebSocket end (RFC 6455, section 5.2).

/// The opcode of a frame that closes (RFC 6455, section 11.8).
const CLOSE: u8 = 8;
/// The longest head of a frame: two bytes, a length of eight, a mask of four.
const LONGEST: usize = 14;

/// The end of a connection whose server goes away: code 1001, not masked (sections 5.5.1 and 7.4.1).
pub(crate) const GOING_AWAY: [u8; 4] = [0x80 | CLOSE, 2, 0x03, 0xe9];

/// Follows the bytes of one direction.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; LONGEST],
    /// Bytes of the head that are there.
    have: usize,
    /// Bytes of the payload that are to come.
    left: u64,
    closed: bool,
}

impl Frames {
    /// These bytes passed.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= count as u64;
                bytes = bytes.get(count..).unwrap_or_default();
                continue;
            }
            bytes = rest;
            if let Some(place) = self.head.get_mut(self.have) {
                *place = *first;
                self.have += 1;
            }
            if self.have == self.length_of_head() {
                self.left = self.length();
                self.closed |= self.head[0] & 0x0f == CLOSE;
                self.have = 0;
            }
        }
    }

    /// May another frame come here? Not in the middle of one, and not behind the last one.
    pub(crate) fn may_end(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.closed
    }

    /// As far as the bytes that are there tell.
    fn length_of_head(&self) -> usize {
        let second = self.head[1];
        if self.have < 2 {
            return 2;
        }
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        2 + mask
            + match second & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            }
    }

    fn length(&self) -> u64 {
        let extended = |count: usize| {
            let bytes = self.head.iter().skip(2).take(count);
            bytes.fold(0, |length, byte| length << 8 | u64::from(*byte))
        };
        match self.head[1] & 0x7f {
            126 => extended(2),
            127 => extended(8),
            short => u64::from(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with a payload of this length.
    fn frame(opcode: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut bytes = vec![0x80 | opcode];
        match length {
            0..126 => bytes.push(mask | u8::try_from(length).unwrap()),
            126..65536 => {
                bytes.push(mask | 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(vec![0xff; length + if masked { 4 } else { 0 }]);
        bytes
    }

    #[test]
    fn frames_end_where_their_heads_say_however_they_are_cut() {
        for masked in [false, true] {
            for length in [0, 1, 125, 126, 65535, 65536] {
                let bytes = [frame(1, masked, length), frame(9, masked, 3)].concat();
                let ends = [frame(1, masked, length).len(), bytes.len()];
                for piece in [1, 2, 3, 7, 4096, usize::MAX] {
                    let mut frames = Frames::default();
                    assert!(frames.may_end());
                    let mut passed = 0;
                    for part in bytes.chunks(piece.min(bytes.len())) {
                        frames.pass(part);
                        passed += part.len();
                        assert_eq!(frames.may_end(), ends.contains(&passed), "{length} {passed}");
                    }
                }
            }
        }
    }

    #[test]
    fn behind_a_close_nothing_comes() {
        let mut frames = Frames::default();
        frames.pass(&GOING_AWAY);
        assert!(!frames.may_end());
        let mut frames = Frames::default();
        frames.pass(&frame(CLOSE, true, 0));
        assert!(!frames.may_end());
    }

    #[test]
    fn a_length_beyond_all_measure_never_ends() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        frames.pass(&[0; 100_000]);
        assert!(!frames.may_end());
    }
}
