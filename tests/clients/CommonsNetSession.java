// A user's session with Apache Commons Net, in the current directory:
// java -cp commons-net.jar CommonsNetSession.java HOST PORT USER PASSWORD MODE
//
// MODE is passive, epsv, active, which is the library's default, or tls: explicit, trusting any certificate. What must lie in the directory, and what is
// compared afterwards, says the test that runs this. Prints "NAME SIZE" for each file in the directory odd; ends with
// the first thing that fails.

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Stream;

import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPClient;
import org.apache.commons.net.ftp.FTPFile;
import org.apache.commons.net.ftp.FTPReply;
import org.apache.commons.net.ftp.FTPSClient;
import org.apache.commons.net.util.TrustManagerUtils;

public final class CommonsNetSession {
    /** In milliseconds. */
    private static final int PATIENCE = 20_000;
    private static String[] login;
    private final FTPClient ftp;

    private CommonsNetSession() throws IOException {
        ftp = login[4].equals("tls") ? new PatientSecureClient() : new PatientClient();
    }

    /**
     * The time-out for the reply to a NOOP, which is short, is also that for the reply to the transfer and for the
     * replies that come after it. The server may take longer when the machine is busy.
     */
    private static final class PatientClient extends FTPClient {
        @Override
        public boolean completePendingCommand() throws IOException {
            setSoTimeout(PATIENCE);
            return super.completePendingCommand();
        }
    }

    private static final class PatientSecureClient extends FTPSClient {
        @Override
        public boolean completePendingCommand() throws IOException {
            setSoTimeout(PATIENCE);
            return super.completePendingCommand();
        }
    }

    public static void main(String[] arguments) throws Exception {
        login = arguments;
        CommonsNetSession session = new CommonsNetSession();
        session.open();
        session.transfers();
        session.continued();
        session.names();
        session.listings();
        session.changes();
        session.keepalive();
        session.ended();
        session.done("QUIT", session.ftp.logout());
        session.ftp.disconnect();
    }

    private void open() throws IOException {
        if (ftp instanceof FTPSClient) {
            ((FTPSClient) ftp).setTrustManager(TrustManagerUtils.getAcceptAllTrustManager());
        }
        ftp.setAutodetectUTF8(true);
        ftp.setConnectTimeout(PATIENCE);
        ftp.setDefaultTimeout(PATIENCE);
        ftp.setDataTimeout(Duration.ofMillis(PATIENCE));
        ftp.connect(login[0], Integer.parseInt(login[1]));
        done("connect", FTPReply.isPositiveCompletion(ftp.getReplyCode()));
        done("login", ftp.login(login[2], login[3]));
        ftp.setUseEPSVwithIPv4(login[4].equals("epsv"));
        if (login[4].equals("active")) {
            ftp.enterLocalActiveMode();
        } else {
            ftp.enterLocalPassiveMode();
        }
        if (ftp instanceof FTPSClient) {
            ((FTPSClient) ftp).execPBSZ(0);
            ((FTPSClient) ftp).execPROT("P");
        }
        done("TYPE I", ftp.setFileType(FTP.BINARY_FILE_TYPE));
    }

    private void transfers() throws IOException {
        store("sample", "sample");
        fetch("sample", "copy", false);
        same("size", ftp.getSize("sample"), Long.toString(Files.size(Path.of("sample"))));
        // By streams, and the reply asked for when they are closed.
        try (InputStream in = ftp.retrieveFileStream("sample")) {
            same("bytes", in.readAllBytes(), Files.readAllBytes(Path.of("sample")));
        }
        done("226 of a download", ftp.completePendingCommand());
        try (OutputStream out = ftp.storeFileStream("stream")) {
            Files.copy(Path.of("sample"), out);
        }
        done("226 of an upload", ftp.completePendingCommand());
        same("size", ftp.mlistFile("stream").getSize(), Files.size(Path.of("sample")));
        done("DELE", ftp.deleteFile("stream"));
    }

    private void continued() throws IOException {
        long half = Files.size(Path.of("part"));
        ftp.setRestartOffset(half);
        fetch("sample", "part", true);
        ftp.setRestartOffset(half);
        store("rest", "part");
        try (InputStream in = new FileInputStream("rest")) {
            done("APPE", ftp.appendFile("appended", in));
        }
    }

    private void names() throws IOException {
        done("MKD", ftp.makeDirectory("odd"));
        try (Stream<String> lines = Files.lines(Path.of("names"))) {
            for (String name : lines.toList()) {
                store(name, "odd/" + name);
                fetch("odd/" + name, "back/" + name, false);
            }
        }
    }

    private void listings() throws IOException {
        // A path that begins with a dash would be a flag.
        String[] names = names(ftp.listFiles("odd"));
        same("names by LIST", names, names(ftp.mlistDir("odd")));
        String[] bare = ftp.listNames("odd");
        same("names by NLST", names, sorted(Stream.of(bare).map(name -> name.substring("odd/".length()))));
        PrintStream print = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // The directory itself and the one above it are listed too, as cdir and pdir.
        FTPFile[] files = ftp.mlistDir("odd", file -> !file.isDirectory());
        for (FTPFile file : files) {
            same("type", file.isFile(), true);
            print.println(file.getName() + " " + file.getSize());
        }
        // Links are links in LIST, and what they lead to in MLSD.
        FTPFile link = only(ftp.listFiles("links"), "directory");
        same("a link", link.isSymbolicLink(), true);
        same("its target", link.getLink(), "../odd");
        same("a directory", only(ftp.mlistDir("links"), "directory").isDirectory(), true);
        FTPFile file = only(ftp.mlistDir("links"), "file");
        same("a file", file.isFile(), true);
        same("its size", file.getSize(), Files.size(Path.of("sample")));
        same("names behind a link", names, names(ftp.mlistDir("links/directory")));
        same("what is missing", ftp.mlistFile("missing"), null);
        same("what is missing", ftp.retrieveFile("missing", OutputStream.nullOutputStream()), false);
        same("the code", ftp.getReplyCode(), 550);
    }

    private void changes() throws IOException {
        done("MKD", ftp.makeDirectory("one"));
        done("CWD", ftp.changeWorkingDirectory("one"));
        same("directory", ftp.printWorkingDirectory(), "/one");
        done("CDUP", ftp.changeToParentDirectory());
        done("MFMT", ftp.setModificationTime("sample", "20200102030405"));
        same("MDTM", ftp.getModificationTime("sample"), "20200102030405");
        // A file is replaced by a rename, as programs do that write beside the name first.
        text("one/new", "new");
        text("one/old", "the old one");
        done("rename over a file", ftp.rename("one/new", "one/old"));
        same("renamed", text("one/old"), "new");
        same("names", names(ftp.mlistDir("one")), new String[] {"old"});
        done("STOU", ftp.storeUniqueFile("one/old", bytes("unique")));
        String[] names = names(ftp.mlistDir("one"));
        same("names", names.length, 2);
        for (String name : names) {
            done("DELE", ftp.deleteFile("one/" + name));
        }
        done("RMD", ftp.removeDirectory("one"));
    }

    /** NOOP while a transfer runs: the library goes on without a reply, and reads them all when the transfer is over. */
    private void keepalive() throws IOException {
        ftp.setBufferSize(64 * 1024);
        ftp.setControlKeepAliveTimeout(Duration.ofMillis(1));
        ftp.setControlKeepAliveReplyTimeout(Duration.ofMillis(10));
        ByteArrayOutputStream found = new ByteArrayOutputStream();
        done("RETR", ftp.retrieveFile("slow", found));
        same("bytes", (long) found.size(), ftp.mlistFile("slow").getSize());
        ftp.setControlKeepAliveTimeout(Duration.ZERO);
        same("directory", ftp.printWorkingDirectory(), "/");
    }

    /** An upload that ends with its connection, and goes on in another session. */
    private void ended() throws Exception {
        byte[] whole = Files.readAllBytes(Path.of("sample"));
        FTPClient lost = new CommonsNetSession().opened();
        OutputStream out = lost.storeFileStream("broken");
        out.write(whole, 0, whole.length / 2);
        out.flush();
        // Under TLS it waits this long for the server's end, which comes with that of the upload.
        lost.setSoTimeout(100);
        lost.disconnect();
        out.close();
        // It is there when the server has seen the end.
        long size = 0;
        while (size != whole.length / 2) {
            FTPFile file = ftp.mlistFile("broken");
            size = file == null ? 0 : file.getSize();
            Thread.sleep(10);
        }
        ftp.setRestartOffset(size);
        ByteArrayInputStream rest = new ByteArrayInputStream(whole, (int) size, whole.length);
        done("REST and STOR", ftp.storeFile("broken", rest));
        done("DELE", ftp.deleteFile("sample"));
        done("RNTO", ftp.rename("broken", "sample"));
        fetch("sample", "copy", false);
        done("DELE", ftp.deleteFile("sample"));
    }

    private FTPClient opened() throws IOException {
        open();
        return ftp;
    }

    private void store(String local, String remote) throws IOException {
        try (InputStream in = new FileInputStream("./" + local)) {
            done("STOR " + remote, ftp.storeFile(remote, in));
        }
    }

    private void fetch(String remote, String local, boolean append) throws IOException {
        try (OutputStream out = new FileOutputStream(local, append)) {
            done("RETR " + remote, ftp.retrieveFile(remote, out));
        }
    }

    private void text(String remote, String text) throws IOException {
        done("STOR " + remote, ftp.storeFile(remote, bytes(text)));
    }

    private String text(String remote) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        done("RETR " + remote, ftp.retrieveFile(remote, out));
        return out.toString(StandardCharsets.UTF_8);
    }

    private void done(String what, boolean succeeded) {
        if (!succeeded) {
            throw new AssertionError(what + ": " + ftp.getReplyString());
        }
    }

    private static InputStream bytes(String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
    }

    private static FTPFile only(FTPFile[] files, String name) {
        return Stream.of(files).filter(file -> file.getName().equals(name)).findFirst().orElseThrow();
    }

    private static String[] names(FTPFile[] files) {
        return sorted(Stream.of(files).map(FTPFile::getName));
    }

    private static String[] sorted(Stream<String> names) {
        return names.filter(name -> !name.equals(".") && !name.equals("..")).sorted().toArray(String[]::new);
    }

    private static void same(String what, Object found, Object wanted) {
        if (!Objects.deepEquals(found, wanted)) {
            Object[] both = {found, wanted};
            throw new AssertionError(what + ": found and wanted: " + Arrays.deepToString(both));
        }
    }
}
