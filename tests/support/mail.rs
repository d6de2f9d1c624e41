//! A mail server that takes letters and keeps them.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

/// A mail server.
pub(crate) struct MailServer {
    pub(crate) url: String,
    letters: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let letters = Arc::new(Mutex::new(Vec::new()));
        let kept = letters.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move {
                    let (read, mut write) = stream.split();
                    let mut lines = BufReader::new(read).lines();
                    write.write_all(b"220 mail ready\r\n").await.unwrap();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let verb = line.get(..4).unwrap_or_default().to_uppercase();
                        if verb != "DATA" {
                            let answer: &[u8] = if verb == "QUIT" { b"221 bye\r\n" } else { b"250 ok\r\n" };
                            write.write_all(answer).await.unwrap();
                            continue;
                        }
                        write.write_all(b"354 go on\r\n").await.unwrap();
                        let mut letter = String::new();
                        while let Ok(Some(line)) = lines.next_line().await {
                            if line == "." {
                                break;
                            }
                            letter.push_str(&line);
                            letter.push('\n');
                        }
                        kept.lock().unwrap().push(letter);
                        write.write_all(b"250 taken\r\n").await.unwrap();
                    }
                });
            }
        });
        Self { url, letters }
    }

    pub(crate) fn letters(&self) -> Vec<String> {
        self.letters.lock().unwrap().clone()
    }
}
