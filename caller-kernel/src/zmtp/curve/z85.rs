//! Keys as text: 32 bytes are 40 characters. See [Z85](https://rfc.zeromq.org/spec/32/).

/// What the digits 0 to 84 look like.
const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

const BASE: u32 = 85;

/// The text of a key.
pub(crate) fn encode(key: &[u8; 32]) -> String {
    let mut text = String::with_capacity(40);
    for word in key.as_chunks::<4>().0 {
        let word = u32::from_be_bytes(*word);
        for power in [BASE.pow(4), BASE.pow(3), BASE.pow(2), BASE, 1] {
            text.push(DIGITS[(word / power % BASE) as usize].into());
        }
    }
    text
}

/// The key of a text, unless it is of another length, has other characters, or stands for too large a number.
pub(crate) fn decode(text: &str) -> Option<[u8; 32]> {
    if text.len() != 40 {
        return None;
    }
    let mut key = [0; 32];
    for (digits, bytes) in text.as_bytes().as_chunks::<5>().0.iter().zip(key.as_chunks_mut::<4>().0) {
        let mut word = 0_u32;
        for digit in digits {
            let value = DIGITS.iter().position(|known| known == digit)?;
            word = word.checked_mul(BASE)?.checked_add(u32::try_from(value).ok()?)?;
        }
        *bytes = word.to_be_bytes();
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server's public key of the example in the manual of libzmq.
    const TEXT: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    const KEY: &str = "54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652";

    #[test]
    fn a_known_key() {
        let mut key = [0; 32];
        hex::decode_to_slice(KEY, &mut key).unwrap();
        assert_eq!(encode(&key), TEXT);
        assert_eq!(decode(TEXT), Some(key));
    }

    #[test]
    fn all_bytes_go_there_and_back() {
        for byte in 0..=255 {
            let mut key = [byte; 32];
            key[5] = !byte;
            assert_eq!(decode(&encode(&key)), Some(key));
        }
    }

    #[test]
    fn what_is_no_key() {
        assert_eq!(decode(""), None);
        assert_eq!(decode(&TEXT[1..]), None);
        assert_eq!(decode(&format!("{TEXT}0")), None);
        assert_eq!(decode(&TEXT.replace('r', "~")), None);
        // 85^5 - 1 is more than four bytes hold, and so is what begins with the digit after the last one.
        assert_eq!(decode(&"#".repeat(40)), None);
        assert_eq!(decode(&TEXT.replacen("rq:rM", "%nSc1", 1)), None);
        assert_eq!(&decode(&TEXT.replacen("rq:rM", "%nSc0", 1)).unwrap()[..4], [0xff; 4]);
    }
}
