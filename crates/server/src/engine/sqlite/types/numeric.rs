//! The binary form of `numeric`: groups of four decimal digits.

use bytes::{BufMut, BytesMut};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;

/// A decimal text (`-12.340`, `1e-7`, `NaN`) as the binary format; `false` when it is no number.
pub(super) fn write_binary(text: &str, out: &mut BytesMut) -> bool {
    let special = match text {
        "NaN" => Some(NAN),
        "Infinity" => Some(INFINITY),
        "-Infinity" => Some(MINUS_INFINITY),
        _digits => None,
    };
    if let Some(sign) = special {
        [0, 0, sign, 0].into_iter().for_each(|word| out.put_u16(word));
        return true;
    }
    let Some(decimal) = Decimal::parse(text) else { return false };
    decimal.write(out);
    true
}

/// Digits without point, and where the point is.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    /// Digits before the point; may be negative or past the end.
    point: i64,
    scale: u16,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || exponent.abs() > 16_000 {
            return None;
        }
        let scale =
            u16::try_from((fraction.len() as i64 - exponent).max(0)).ok().filter(|scale| *scale < 0x4000)?;
        Some(Self { negative, digits, point: whole.len() as i64 + exponent, scale })
    }

    /// The decimal digit whose weight is `10^(point - 1 - at)`.
    fn digit(&self, at: i64) -> u16 {
        usize::try_from(at).ok().and_then(|at| self.digits.get(at)).map_or(0, |digit| u16::from(digit - b'0'))
    }

    fn write(&self, out: &mut BytesMut) {
        // Group g holds the digits of weight 10^(4g+3) to 10^(4g).
        let first = (self.point - 1).div_euclid(4);
        let last = (self.point - self.digits.len() as i64).div_euclid(4);
        let group = |weight: i64| {
            let start = self.point - 1 - (weight * 4 + 3);
            (0..4).fold(0, |value, at| value * 10 + self.digit(start + at))
        };
        let mut groups: Vec<(i64, u16)> =
            (last..=first).rev().map(|weight| (weight, group(weight))).collect();
        while groups.last().is_some_and(|(_, value)| *value == 0) {
            groups.pop();
        }
        let leading = groups.iter().take_while(|(_, value)| *value == 0).count();
        let groups = &groups[leading..];
        let weight = groups.first().map_or(0, |(weight, _)| *weight);
        let negative = self.negative && !groups.is_empty();
        out.put_u16(groups.len() as u16);
        out.put_i16(weight as i16);
        out.put_u16(if negative { NEGATIVE } else { 0 });
        out.put_u16(self.scale);
        groups.iter().for_each(|(_, value)| out.put_u16(*value));
    }
}

/// The decimal text of a binary value; `None` when malformed.
pub(super) fn read_binary(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let (count, weight, sign, scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITY => return Some("Infinity".to_owned()),
        MINUS_INFINITY => return Some("-Infinity".to_owned()),
        0 | NEGATIVE => {}
        _unknown => return None,
    }
    let groups: Vec<u16> = words.collect();
    if !bytes.len().is_multiple_of(2)
        || groups.len() != usize::from(count)
        || groups.iter().any(|group| *group > 9999)
    {
        return None;
    }
    let weight = i64::from(weight as i16);
    let group =
        |at: i64| usize::try_from(weight - at).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    let whole: String = (0..=weight.max(0)).rev().map(|at| format!("{:04}", group(at))).collect();
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let wanted = usize::from(scale & 0x3fff);
        let fraction: String =
            (1..=wanted.div_ceil(4) as i64).map(|at| format!("{:04}", group(-at))).collect();
        text.push('.');
        text.push_str(&fraction[..wanted]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_way_through_the_binary_form() {
        for text in
            ["0", "1", "-1", "12345.678", "-0.00012", "10000", "99999999999999999999.5", "0.10", "NaN", "100"]
        {
            let mut out = BytesMut::new();
            assert!(write_binary(text, &mut out), "{text}");
            assert_eq!(read_binary(&out).as_deref(), Some(text));
        }
    }

    #[test]
    fn groups_are_as_postgresql_sends_them() {
        let mut out = BytesMut::new();
        assert!(write_binary("12345.678", &mut out));
        assert_eq!(&out[..], [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c]);
    }

    #[test]
    fn exponents_are_expanded() {
        let mut out = BytesMut::new();
        assert!(write_binary("1.5e3", &mut out));
        assert_eq!(read_binary(&out).as_deref(), Some("1500"));
        out.clear();
        assert!(write_binary("1e-7", &mut out));
        assert_eq!(read_binary(&out).as_deref(), Some("0.0000001"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", "1.2.3", "abc", "1e", "1e99999"] {
            assert!(!write_binary(text, &mut BytesMut::new()), "{text}");
        }
        assert_eq!(read_binary(&[0, 1, 0, 0]), None);
        assert_eq!(read_binary(&[0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), None);
    }
}
