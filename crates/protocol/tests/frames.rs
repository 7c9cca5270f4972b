//! Frames: known bytes, round trips, and hostile bytes.

use confide_protocol::{
    Blame, CHUNK_BYTES, ClientMessage, Digest, Frame, JobId, JobReport, JobSpec, JobState, Limits,
    MAX_CONTROL_BYTES, MAX_DIGESTS, ObjectKind, PROTOCOL_VERSION, ProtocolError, Token, WireError,
    WorkerMessage, decode_client, decode_worker, encode_chunk, encode_client, encode_worker,
};
use proptest::prelude::*;

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn kind() -> impl Strategy<Value = ObjectKind> {
    prop_oneof![
        Just(ObjectKind::RelinearisationKey),
        any::<u64>().prop_map(|element| ObjectKind::GaloisKey { element }),
        Just(ObjectKind::Features),
        Just(ObjectKind::Scores),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..200)
}

fn digests() -> impl Strategy<Value = Vec<Digest>> {
    proptest::collection::vec(digest(), 0..20)
}

fn job() -> impl Strategy<Value = JobSpec> {
    let galois = proptest::collection::vec((any::<u64>(), digest()), 0..20);
    (
        any::<bool>(),
        bytes(),
        digest(),
        galois,
        digests(),
        digests(),
    )
        .prop_map(|(train, plan, relin, galois, first, second)| {
            if train {
                JobSpec::Train {
                    plan,
                    relin,
                    galois,
                    features: first,
                    labels: second,
                    sparse: vec![relin],
                    validation: vec![relin; 2],
                }
            } else {
                JobSpec::Predict {
                    plan,
                    relin,
                    galois,
                    head: relin,
                    rows: 5,
                    records: second,
                }
            }
        })
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        (any::<u16>(), "[a-z ]{0,20}", any::<[u8; 32]>()).prop_map(|(version, client, token)| {
            ClientMessage::Hello {
                version,
                client,
                token: Token(token),
            }
        }),
        (any::<u32>(), bytes()).prop_map(|(request, plan_request)| ClientMessage::RequestPlan {
            request,
            plan_request
        }),
        (any::<u32>(), digests())
            .prop_map(|(request, digests)| ClientMessage::Have { request, digests }),
        (any::<u32>(), any::<u32>(), digest(), any::<u64>(), kind()).prop_map(
            |(request, transfer, digest, size, kind)| ClientMessage::Put {
                request,
                transfer,
                digest,
                size,
                kind
            }
        ),
        (any::<u32>(), job()).prop_map(|(request, job)| ClientMessage::StartJob { request, job }),
        (any::<u32>(), bytes(), digests(), digests()).prop_map(|(request, plan, keys, images)| {
            let job = JobSpec::Infer { plan, keys, images };
            ClientMessage::StartJob { request, job }
        }),
        any::<u32>().prop_map(|request| ClientMessage::ListModels { request }),
        (any::<u32>(), bytes()).prop_map(|(request, inference_request)| {
            ClientMessage::RequestInference {
                request,
                inference_request,
            }
        }),
        (any::<u32>(), digest()).prop_map(|(request, job)| ClientMessage::AttachJob {
            request,
            job: JobId(job)
        }),
        (any::<u32>(), any::<u32>())
            .prop_map(|(transfer, index)| ClientMessage::ChunkAck { transfer, index }),
        any::<u64>().prop_map(|nonce| ClientMessage::Ping { nonce }),
    ]
}

fn state() -> impl Strategy<Value = JobState> {
    prop_oneof![
        any::<u32>().prop_map(|position| JobState::Queued { position }),
        ("[a-z]{0,10}", any::<u64>(), any::<Option<u64>>()).prop_map(|(phase, n, remaining_ms)| {
            JobState::Running {
                phase,
                done: n / 2,
                total: n,
                elapsed_ms: n / 3,
                remaining_ms,
                outputs: vec![(
                    ObjectKind::Validation { step: n as u32 },
                    Digest([n as u8; 32]),
                    n,
                )],
            }
        }),
        (digest(), kind(), 0.0..1e9f64).prop_map(|(digest, kind, seconds)| {
            JobState::Done(JobReport {
                outputs: vec![(kind, digest, 7)],
                seconds: vec![("phase".into(), seconds)],
                peak_rss_bytes: 1,
                counts: vec![("mul".into(), 3)],
            })
        }),
        "[a-z]{0,10}".prop_map(|text| JobState::Failed(WireError::new(
            "CF-3008",
            Blame::Worker,
            text,
            "again"
        ))),
        Just(JobState::Cancelled),
    ]
}

fn worker_message() -> impl Strategy<Value = WorkerMessage> {
    prop_oneof![
        (any::<u16>(), any::<u64>()).prop_map(|(version, n)| WorkerMessage::Welcome {
            version,
            worker: "w".into(),
            limits: Limits {
                chunk_bytes: 1,
                window_chunks: 2,
                max_object_bytes: n,
                max_client_bytes: n,
                max_jobs: 3,
                max_memory_bytes: n,
                max_control_bytes: 4,
                idle_timeout_s: 5
            },
            threads: 2,
            memory_bytes: n
        }),
        (any::<u32>(), bytes()).prop_map(|(request, plan)| WorkerMessage::Plan { request, plan }),
        (any::<u32>(), digests()).prop_map(|(request, digests)| WorkerMessage::HaveReply {
            request,
            missing: digests.into_iter().map(|digest| (digest, 5)).collect()
        }),
        (any::<Option<u32>>(), digest(), state()).prop_map(|(request, job, state)| {
            WorkerMessage::JobUpdate {
                request,
                job: JobId(job),
                state,
            }
        }),
        Just(WorkerMessage::ShuttingDown),
    ]
}

proptest! {
    #[test]
    fn client_messages_round_trip(message in client_message()) {
        let frame = encode_client(&message).unwrap();
        prop_assert_eq!(decode_client(&frame).unwrap(), Frame::Control(message));
    }

    #[test]
    fn worker_messages_round_trip(message in worker_message()) {
        let frame = encode_worker(&message).unwrap();
        prop_assert_eq!(decode_worker(&frame).unwrap(), Frame::Control(message));
    }

    #[test]
    fn every_prefix_of_a_message_is_an_error(message in client_message()) {
        let frame = encode_client(&message).unwrap();
        for end in 0..frame.len() {
            prop_assert!(decode_client(&frame[..end]).is_err());
        }
    }

    #[test]
    fn trailing_bytes_are_an_error(message in client_message(), extra in any::<u8>()) {
        let mut frame = encode_client(&message).unwrap();
        frame.push(extra);
        // Greetings of another version stay recognisable whatever follows.
        let refused = matches!(
            decode_client(&frame),
            Err(ProtocolError::Trailing(1) | ProtocolError::Version { .. })
        );
        prop_assert!(refused);
    }

    /// Flipped, inserted and removed bytes: an answer or an error, never a panic, and whatever is
    /// accepted encodes to a message that reads the same.
    #[test]
    fn mutated_messages_never_panic(
        message in client_message(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut frame = encode_client(&message).unwrap();
        for (place, byte, edit) in edits {
            let at = place.index(frame.len());
            match edit {
                0 => frame[at] ^= byte,
                1 => frame.insert(at, byte),
                _ if frame.len() > 1 => { frame.remove(at); }
                _ => {}
            }
        }
        if let Ok(Frame::Control(read)) = decode_client(&frame) {
            let again = encode_client(&read).unwrap();
            prop_assert_eq!(decode_client(&again).unwrap(), Frame::Control(read));
        }
        let _ = decode_worker(&frame);
    }

    #[test]
    fn random_bytes_never_panic(frame in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_client(&frame);
        let _ = decode_worker(&frame);
    }
}

#[test]
fn chunks_round_trip_and_are_bounded() {
    let data = vec![7u8; CHUNK_BYTES];
    let frame = encode_chunk(3, 9, &data).unwrap();
    let Frame::Chunk(chunk) = decode_client(&frame).unwrap() else {
        panic!("not a chunk");
    };
    assert_eq!((chunk.transfer, chunk.index), (3, 9));
    assert_eq!(chunk.digest, Digest::of(&data));
    assert_eq!(chunk.data, data);

    let mut long = frame.clone();
    long.push(0);
    assert!(matches!(
        decode_client(&long),
        Err(ProtocolError::Oversized { .. })
    ));
    for end in 1..42 {
        assert!(matches!(
            decode_client(&frame[..end]),
            Err(ProtocolError::Truncated { need: 42, .. })
        ));
    }
    assert!(encode_chunk(0, 0, &[]).is_err());
    assert!(encode_chunk(0, 0, &vec![0; CHUNK_BYTES + 1]).is_err());
}

/// A claimed length is no reason to allocate: these would be 2^60 bytes, digests or strings.
#[test]
fn lengths_beyond_the_frame_are_errors() {
    for variant in [0u8, 1, 2, 4, 9] {
        let mut frame = vec![0, variant, 1];
        frame.push(253); // a u64 follows
        frame.extend_from_slice(&(1u64 << 60).to_le_bytes());
        assert!(decode_client(&frame).is_err(), "variant {variant}");
    }
}

#[test]
fn lists_and_frames_have_limits() {
    let many = ClientMessage::Have {
        request: 1,
        digests: vec![Digest([0; 32]); MAX_DIGESTS + 1],
    };
    assert!(matches!(
        encode_client(&many),
        Err(ProtocolError::TooMany {
            limit: MAX_DIGESTS,
            ..
        })
    ));
    // Encoded past the check, it is refused on arrival.
    let mut frame = vec![0];
    frame.extend(confide_protocol::to_bytes(&many).unwrap());
    assert!(matches!(
        decode_client(&frame),
        Err(ProtocolError::TooMany { .. })
    ));
    let big = ClientMessage::RequestPlan {
        request: 1,
        plan_request: vec![0; MAX_CONTROL_BYTES],
    };
    assert!(encode_client(&big).is_err());
    assert!(matches!(
        decode_client(&vec![0; MAX_CONTROL_BYTES + 1]),
        Err(ProtocolError::Oversized { .. })
    ));
    assert!(matches!(
        decode_client(&[2, 0]),
        Err(ProtocolError::UnknownKind(2))
    ));
}

#[test]
fn a_greeting_of_another_version_is_recognised() {
    // Version 7 might add fields that this version cannot read.
    let frame = [0, 0, 7, 1, 2, 3, 4, 5];
    assert_eq!(
        decode_client(&frame),
        Err(ProtocolError::Version {
            theirs: 7,
            ours: PROTOCOL_VERSION
        })
    );
    assert_eq!(
        decode_worker(&frame),
        Err(ProtocolError::Version {
            theirs: 7,
            ours: PROTOCOL_VERSION
        })
    );
}

/// The bytes of the documentation's examples: another client depends on them.
#[test]
fn known_bytes() {
    let hello = ClientMessage::Hello {
        version: 1,
        client: "me".into(),
        token: Token([0xab; 32]),
    };
    let mut expected = vec![0, 0, 1, 2, b'm', b'e'];
    expected.extend([0xab; 32]);
    assert_eq!(encode_client(&hello).unwrap(), expected);

    let put = ClientMessage::Put {
        request: 5,
        transfer: 6,
        digest: Digest([0xcd; 32]),
        size: 300,
        kind: ObjectKind::GaloisKey { element: 70_000 },
    };
    let mut expected = vec![0, 3, 5, 6];
    expected.extend([0xcd; 32]);
    expected.extend([251, 0x2c, 0x01]); // 300
    expected.extend([1, 252, 0x70, 0x11, 0x01, 0x00]); // GaloisKey, 70000
    assert_eq!(encode_client(&put).unwrap(), expected);

    let news = WorkerMessage::JobUpdate {
        request: None,
        job: JobId(Digest([1; 32])),
        state: JobState::Queued { position: 2 },
    };
    let mut expected = vec![0, 7, 0];
    expected.extend([1; 32]);
    expected.extend([0, 2]);
    assert_eq!(encode_worker(&news).unwrap(), expected);
}

#[test]
fn tokens_do_not_print() {
    let hello = ClientMessage::Hello {
        version: 1,
        client: "me".into(),
        token: Token([171; 32]),
    };
    let text = format!("{hello:?}");
    assert!(
        !text.contains("171") && !text.to_lowercase().contains("ab, "),
        "{text}"
    );
}

#[test]
fn job_names_depend_on_job_and_token() {
    let job = |byte| JobSpec::Train {
        plan: vec![byte],
        relin: Digest([1; 32]),
        galois: vec![],
        features: vec![],
        labels: vec![],
        sparse: vec![],
        validation: vec![],
    };
    let token = Token([1; 32]);
    assert_eq!(job(1).id(&token), job(1).id(&token));
    assert_ne!(job(1).id(&token), job(2).id(&token));
    assert_ne!(job(1).id(&token), job(1).id(&Token([2; 32])));
    assert_ne!(token.namespace(), Digest::of(&token.0));
}
