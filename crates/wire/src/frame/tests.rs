//! Headers and splits by table; the scanner against the splitter at every boundary.

use super::*;

#[test]
fn a_header_needs_five_bytes_and_a_length_in_bounds() {
    let header = |input: &[u8]| Header::peek(input, 100);
    for short in [&b""[..], b"Q", b"Q\0\0\0"] {
        assert_eq!(header(short), Ok(None), "{short:?}");
    }
    assert_eq!(header(b"Q\0\0\0\x04"), Ok(Some(Header { tag: b'Q', len: 5 })));
    assert_eq!(header(b"Q\0\0\0\x09more"), Ok(Some(Header { tag: b'Q', len: 10 })));
    assert_eq!(header(b"Q\0\0\0\x63"), Ok(Some(Header { tag: b'Q', len: 100 })));
    assert_eq!(header(b"Q\0\0\0\x64"), Err(Error::FrameTooLong { tag: b'Q', len: 101, max: 100 }));
    for word in 0..4 {
        assert_eq!(header(&[b'Q', 0, 0, 0, word]), Err(Error::FrameTooShort { tag: b'Q', len: word.into() }));
    }
}

#[test]
fn no_length_word_overflows() {
    let refused = Header::peek(b"Q\xff\xff\xff\xff", usize::MAX);
    assert_eq!(refused, Ok(Some(Header { tag: b'Q', len: 0x1_0000_0000 })));
    let refused = Header::peek(b"Q\x40\0\0\0", crate::Limits::default().after_auth);
    assert_eq!(refused, Err(Error::FrameTooLong { tag: b'Q', len: 0x4000_0001, max: 0x3fff_ffff }));
}

#[test]
fn a_gigabyte_is_refused_by_its_header_before_authentication() {
    let refused = Header::peek(b"p\x3f\xff\xff\xff", crate::Limits::default().before_auth);
    assert!(matches!(refused, Err(Error::FrameTooLong { max: 10_240, .. })));
}

#[test]
fn a_frame_is_split_off_only_when_it_is_whole() {
    let input = b"Q\0\0\0\x06a\0S\0\0\0\x04";
    for cut in 0..7 {
        assert_eq!(Frame::split(&input[..cut], 100), Ok(None), "{cut} bytes");
    }
    let (first, rest) = Frame::split(input, 100).expect("valid").expect("whole");
    assert_eq!((first, first.len()), (Frame { tag: b'Q', body: b"a\0" }, 7));
    let (second, rest) = Frame::split(rest, 100).expect("valid").expect("whole");
    assert_eq!((second, rest), (Frame { tag: b'S', body: b"" }, &b""[..]));
}

/// Frames as a scanner sees them: header and number of bytes.
fn scan(chunks: &[&[u8]]) -> Vec<(Header, usize)> {
    let mut scanner = Scanner::default();
    let (mut frames, mut header, mut bytes) = (Vec::new(), None, 0);
    for mut chunk in chunks.iter().copied() {
        while let Some(piece) = scanner.next(chunk, 1000).expect("valid") {
            assert!((1..=chunk.len()).contains(&piece.len), "{piece:?} of {} bytes", chunk.len());
            bytes += piece.len;
            header = header.or(piece.header);
            if let Some(header) = header {
                assert_eq!(piece.tag, Some(header.tag));
            }
            if piece.ends {
                frames.push((header.take().expect("a frame has a header"), std::mem::take(&mut bytes)));
            }
            assert_eq!(scanner.at_boundary(), piece.ends);
            chunk = &chunk[piece.len..];
        }
    }
    assert_eq!((header, bytes), (None, 0), "all frames are whole");
    frames
}

#[test]
fn a_scanner_finds_the_same_frames_wherever_the_chunks_are_cut() {
    let input = b"Q\0\0\0\x06a\0S\0\0\0\x04D\0\0\0\x0b1234567Z\0\0\0\x05I";
    let frame = |tag, len| (Header { tag, len }, len);
    let expected = [frame(b'Q', 7), frame(b'S', 5), frame(b'D', 12), frame(b'Z', 6)];
    for first in 0..=input.len() {
        for second in first..=input.len() {
            let chunks = [&input[..first], &input[first..second], &input[second..]];
            assert_eq!(scan(&chunks), expected, "cut at {first} and {second}");
        }
    }
}

#[test]
fn a_scanner_refuses_a_bad_header_once_its_last_byte_is_there() {
    let mut scanner = Scanner::default();
    let piece = scanner.next(b"Q\0\0", 100).expect("not known yet").expect("a piece");
    assert_eq!(piece, Piece { header: None, tag: None, len: 3, ends: false });
    assert_eq!(scanner.next(b"\0\x03", 100), Err(Error::FrameTooShort { tag: b'Q', len: 3 }));
}
