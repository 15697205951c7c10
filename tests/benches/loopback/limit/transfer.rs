//! Files of the limit: sendfile for downloads, read and write for uploads.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use rustix::fs::sendfile;

use super::session::Session;
use crate::stream::Stream;

impl Session {
    pub(super) fn retrieve(&mut self, name: &str) -> io::Result<()> {
        let mut file = File::open(self.path(name))?;
        let bytes = file.metadata()?.len();
        let mut data = self.begin()?;
        if let Stream::Plain(socket) = &data {
            let mut sent = 0;
            while sent < bytes {
                let left = usize::try_from(bytes - sent).unwrap_or(usize::MAX);
                if sendfile(socket, &file, Some(&mut sent), left)? == 0 {
                    break;
                }
            }
        } else {
            let mut buffer = vec![0; TLS_BUFFER_BYTES];
            loop {
                let count = file.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                data.write_all(&buffer[..count])?;
            }
            data.end()?;
        }
        drop(data);
        self.reply("226 done");
        Ok(())
    }

    pub(super) fn store(&mut self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        let staged = self.limit.stages.then(|| path.with_extension("temporary"));
        let mut file = match &staged {
            Some(staged) => File::create_new(staged)?,
            None => File::create(&path)?,
        };
        let mut data = self.begin()?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = data.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count])?;
        }
        if let Stream::Server(_) = data {
            data.end()?;
        }
        drop((data, file));
        if let Some(staged) = staged {
            fs::rename(staged, path)?;
        }
        self.reply("226 done");
        Ok(())
    }
}

const BUFFER_BYTES: usize = 64 << 10;
const TLS_BUFFER_BYTES: usize = 128 << 10;
