//! What the guard lets through and what it doesn't, on bytes and on a connection.

use proptest::prelude::*;

use super::super::peer::{message_of, tlv};
use super::*;

const ASKED: Asked = Asked { id: 7, operation: SEARCH_REQUEST };

fn done(extra: &[u8], controls: Option<&[u8]>) -> Vec<u8> {
    let body = [&tlv(0x0a, &[0])[..], &tlv(0x04, b""), &tlv(0x04, b""), extra].concat();
    message_of(&[7], &tlv(0x65, &body), controls)
}

fn nested(levels: usize) -> Vec<u8> {
    (0..levels).fold(Vec::new(), |inside, _| tlv(0x30, &inside))
}

fn controls(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0xa0, &tlv(0x30, &parts.concat()))
}

#[test]
fn ordinary_answers_pass() {
    let entry = message_of(&[7], &tlv(0x64, &[tlv(0x04, b"cn=a"), tlv(0x30, &[])].concat()), None);
    let paging = controls(&[tlv(0x04, b"1.2"), tlv(0x01, &[0xff]), tlv(0x04, b"value")]);
    for message in [entry, done(&[], None), done(&[], Some(&paging)), done(&tlv(0xa3, &tlv(0x04, b"ldap://x")), None)] {
        assert_eq!(inspect(&message, Some(ASKED)), Ok(()), "{message:x?}");
        assert_eq!(measure(&message), Ok(Frame::Whole(message.len())));
    }
    let bound = message_of(
        &[7],
        &tlv(0x61, &[tlv(0x0a, &[0]), tlv(0x04, b""), tlv(0x04, b""), tlv(0x87, b"x")].concat()),
        None,
    );
    assert_eq!(inspect(&bound, Some(Asked { id: 7, operation: BIND_REQUEST })), Ok(()));
}

#[test]
fn a_huge_frame_is_refused_by_its_header() {
    let header = |length: u32| [&[0x30, 0x84][..], &length.to_be_bytes()].concat();
    assert_eq!(measure(&header(600 << 20)), Err(Breach::TooLong(600 << 20)));
    let most = u32::try_from(MESSAGE_BYTES_MAX).unwrap();
    assert_eq!(measure(&header(most)), Ok(Frame::Partial(MESSAGE_BYTES_MAX + 6)));
    assert!(matches!(measure(&header(most + 1)), Err(Breach::TooLong(_))));
}

#[test]
fn deep_nesting_is_refused_before_any_parser_sees_it() {
    let with = |levels| message_of(&[7], &tlv(0x64, &nested(levels)), None);
    // The message's content is level 1, the operation's level 2.
    assert_eq!(inspect(&with(DEPTH_MAX - 2), Some(ASKED)), Ok(()));
    assert_eq!(inspect(&with(DEPTH_MAX - 1), Some(ASKED)), Err(Breach::TooDeep));
    let recorded: Vec<u8> = [0x30, 0x80].repeat(60_000);
    assert!(measure(&recorded).is_err());
}

#[test]
fn what_would_panic_or_hang_the_driver_is_refused() {
    let text =
        |text: &[u8]| message_of(&[7], &tlv(0x65, &[tlv(0x0a, &[0]), tlv(0x04, b""), tlv(0x04, text)].concat()), None);
    let bad = [
        text(b"\xff\xfe"),
        // An inner length that overruns the frame.
        [&tlv(0x30, &[0x02, 0x01, 0x07, 0x65, 0x7f, 0x00])[..]].concat(),
        done(&[], Some(&tlv(0xa0, &tlv(0x04, b"x")))),
        done(&[], Some(&controls(&[tlv(0x04, b"\xff")]))),
        done(&[], Some(&controls(&[tlv(0x04, b"1.2"), tlv(0x01, &[])]))),
        done(&[], Some(&controls(&[tlv(0x04, b"1.2"), tlv(0x02, b"x")]))),
        done(&tlv(0x83, b"ldap://x"), None),
        done(&tlv(0xa3, &tlv(0x04, b"\xff")), None),
        done(&tlv(0x8a, b"\xff"), None),
        done(&tlv(0x03, b"x"), None),
        done(&tlv(0xc3, b"x"), None),
        message_of(&[7], &tlv(0x65, &tlv(0x0a, &[0])), None),
        message_of(&[7], &tlv(0x65, &[]), None),
        message_of(&[7], &tlv(0x64, &[]), Some(&[0x04, 0x00])),
        message_of(&[], &tlv(0x64, &[]), None),
        message_of(&[0x80], &tlv(0x64, &[]), None),
        tlv(0x30, &tlv(0x02, &[7])),
        tlv(0x30, &[]),
    ];
    for message in bad {
        assert!(inspect(&message, Some(ASKED)).is_err(), "{message:x?}");
    }
}

#[test]
fn only_the_operation_under_way_is_answered() {
    for (id, tag) in [(8, 0x65), (7, 0x61), (7, 0x78), (7, 0x60)] {
        let body = [tlv(0x0a, &[0]), tlv(0x04, b""), tlv(0x04, b"")].concat();
        assert_eq!(inspect(&message_of(&[id], &tlv(tag, &body), None), Some(ASKED)), Err(Breach::Unasked));
    }
    assert_eq!(inspect(&done(&[], None), None), Err(Breach::Unasked));
}

#[test]
fn a_farewell_is_told_with_its_reason() {
    let body =
        [tlv(0x0a, &[52]), tlv(0x04, b""), tlv(0x04, b"going down"), tlv(0x8a, b"1.3.6.1.4.1.1466.20036")].concat();
    let fault = inspect(&message_of(&[0], &tlv(0x78, &body), None), Some(ASKED)).unwrap_err();
    assert_eq!(fault.to_string(), "the server ends the session: unavailable (52): going down");
}

proptest! {
    #[test]
    fn no_bytes_panic_the_guard(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Frame::Whole(length)) = measure(&bytes) {
            let _ = inspect(&bytes[..length], Some(ASKED));
        }
    }

    #[test]
    fn what_passes_can_be_parsed_to_its_end(content in prop::collection::vec(any::<u8>(), 0..60)) {
        let message = tlv(0x30, &[&tlv(0x02, &[7])[..], &content].concat());
        if inspect(&message, Some(ASKED)).is_ok() {
            prop_assert!(lber::parse::parse_tag(&message).is_ok_and(|(rest, _)| rest.is_empty()));
        }
    }
}

/// A guarded connection whose server end is in the test's hand; a search is under way.
async fn guarded() -> (UnixStream, tokio::io::DuplexStream, Ended) {
    let (stream, mut server) = tokio::io::duplex(1 << 20);
    let (client, ended) = stand_before(stream).unwrap();
    let mut client = UnixStream::from_std(client).unwrap();
    let request = message_of(&[7], &tlv(0x63, &[]), None);
    client.write_all(&request).await.unwrap();
    let mut seen = vec![0; request.len()];
    server.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, request);
    (client, server, ended)
}

#[tokio::test]
async fn messages_pass_in_whatever_pieces_they_arrive() {
    let (mut client, mut server, _) = guarded().await;
    let entry = message_of(&[7], &tlv(0x64, &[tlv(0x04, &[b'x'; 300]), tlv(0x30, &[])].concat()), None);
    let sent = [entry.clone(), entry, done(&[], None)].concat();
    for piece in sent.chunks(7) {
        server.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut seen = vec![0; sent.len()];
    client.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn nothing_of_a_bad_message_passes_and_the_reason_is_kept() {
    let (mut client, mut server, ended) = guarded().await;
    let good = done(&[], None);
    server.write_all(&good).await.unwrap();
    server.write_all(&message_of(&[7], &tlv(0x64, &nested(40)), None)).await.unwrap();
    let mut seen = Vec::new();
    client.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, good);
    assert_eq!(ended.get().map(String::as_str), Some("the server sent a message nested deeper than 32 levels"));
}

#[tokio::test]
async fn a_message_of_many_megabytes_passes_whole() {
    let (mut client, mut server, _) = guarded().await;
    let entry = message_of(&[7], &tlv(0x64, &[tlv(0x04, &vec![b'x'; 9 << 20]), tlv(0x30, &[])].concat()), None);
    let length = entry.len();
    let sent = tokio::spawn(async move { server.write_all(&entry).await.map(|()| server) });
    let mut seen = vec![0; length];
    client.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen[length - 1], 0);
    sent.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_of_either_side_is_the_end_of_both() {
    let (mut client, server, ended) = guarded().await;
    drop(server);
    assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert_eq!(ended.get().map(String::as_str), Some("the server closed the connection"));
    let (client, mut server, _) = guarded().await;
    drop(client);
    assert_eq!(server.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}
