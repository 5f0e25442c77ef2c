//! Our crypto against libraries of other people: what they write we read, what we write they read, for a thousand
//! random messages and keys that end in every letter and digit.

use std::path::Path;
use std::process::Stdio;

use infrastructure::callbacks::crypto::{AES_KEY_CHARS, CallbackKeys};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tests::kit::PATIENCE;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// The program, and what `cargo xtask test` has installed for it.
const PROGRAM: &str = "js/callback_crypto.mjs";
const INSTALLED: &str = "../target/socketio-client";
const LIBRARIES: [(&str, &str); 2] = [("wecom", "@wecom/crypto"), ("wechat", "wechat-crypto")];

const MESSAGES: usize = 1000;
const CHARS_MAX: usize = 600;
const LETTERS_AND_DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

struct Case {
    library: &'static str,
    token: String,
    key: String,
    id: String,
    message: String,
}

fn word(random: &mut StdRng, length: usize) -> String {
    (0..length).map(|_| char::from(LETTERS_AND_DIGITS[random.random_range(0..62)])).collect()
}

fn text(random: &mut StdRng) -> String {
    let ranges = [' '..='~', '一'..='龥', '😀'..='😿', '\u{80}'..='\u{7ff}'];
    let length = random.random_range(0..CHARS_MAX);
    let mut character = || {
        let range = ranges[random.random_range(0..ranges.len())].clone();
        random.random_range(range)
    };
    (0..length).map(|_| character()).collect()
}

fn case(n: usize, random: &mut StdRng) -> Case {
    let token_length = random.random_range(3..=32);
    Case {
        library: LIBRARIES[n % 2].0,
        token: word(random, token_length),
        // Both libraries meet all 62 ends: 62 is even, so the pair moves on with every round.
        key: word(random, AES_KEY_CHARS - 1) + &char::from(LETTERS_AND_DIGITS[(n / 2) % 62]).to_string(),
        id: format!("wx{}", word(random, 16)),
        message: text(random),
    }
}

/// What the libraries answer, line by line.
async fn ask(questions: Vec<Value>) -> Vec<Value> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = tests.join(INSTALLED);
    for (_, package) in LIBRARIES {
        let present = installed.join("node_modules").join(package).is_dir();
        assert!(present, "{package} is not installed: `cargo xtask test --only tests` does that");
    }
    let mut node = Command::new("node");
    node.arg("--no-deprecation").arg(tests.join(PROGRAM)).arg(installed).kill_on_drop(true);
    let mut child = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Node.js");
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let count = questions.len();
    let asking = tokio::spawn(async move {
        for question in questions {
            input.write_all(format!("{question}\n").as_bytes()).await.expect("Node.js listens");
        }
    });
    let mut answers = Vec::with_capacity(count);
    while let Some(line) =
        timeout(PATIENCE, output.next_line()).await.expect("an answer in time").expect("a line")
    {
        answers.push(serde_json::from_str(&line).expect("JSON"));
    }
    asking.await.expect("every question");
    assert!(child.wait().await.expect("an exit").success());
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_libraries_read_what_we_write_and_we_read_what_they_write() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let cases: Vec<Case> = (0..MESSAGES).map(|n| case(n, &mut random)).collect();
    let ends: std::collections::BTreeSet<_> =
        cases.iter().map(|case| (case.library, case.key.as_bytes()[AES_KEY_CHARS - 1])).collect();
    assert_eq!(ends.len(), 2 * 62);

    let keys = |case: &Case| {
        CallbackKeys::new(case.token.as_str().into(), Some(&case.key.as_str().into()), &case.id).unwrap()
    };
    let sealed: Vec<String> = cases.iter().map(|case| keys(case).seal(&case.message).unwrap()).collect();
    let questions = cases.iter().zip(&sealed).enumerate().map(|(n, (case, encrypted))| {
        json!({ "library": case.library, "token": case.token, "key": case.key, "id": case.id,
                "timestamp": n.to_string(), "nonce": format!("nonce{n}"), "encrypted": encrypted,
                "message": case.message })
    });
    let answers = ask(questions.collect()).await;
    assert_eq!(answers.len(), MESSAGES);
    for (n, ((case, encrypted), answer)) in cases.iter().zip(&sealed).zip(&answers).enumerate() {
        let (keys, timestamp, nonce) = (keys(case), n.to_string(), format!("nonce{n}"));
        assert_eq!(answer["message"], case.message, "{n}: they read what we wrote");
        assert_eq!(answer["id"], case.id, "{n}");
        let signature = answer["signature"].as_str().unwrap();
        assert_eq!(signature, keys.signature(&timestamp, &nonce, Some(encrypted)), "{n}");
        let theirs = answer["encrypted"].as_str().unwrap();
        assert_eq!(
            keys.decrypt(theirs).as_deref(),
            Ok(case.message.as_str()),
            "{n}: we read what they wrote"
        );
        let signature = answer["encryptedSignature"].as_str().unwrap();
        assert!(keys.is_signed(signature, &timestamp, &nonce, Some(theirs)), "{n}");
    }
}
