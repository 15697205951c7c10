#!/usr/bin/env perl
#
# A user's session with Perl's Net::FTP, in the current directory: net_ftp_session.pl HOST PORT USER PASSWORD MODE.
#
# MODE is passive or active. What must lie in the directory, and what is compared afterwards, says the test that
# runs this. Prints "NAME SIZE" for each file in the directory odd; ends with the first thing that fails.

use strict;
use warnings;
use Net::FTP;

my ($host, $port, $user, $password, $mode) = @ARGV;
my $ftp = Net::FTP->new($host, Port => $port, Passive => $mode eq 'passive', Timeout => 20)
    or die "connect: $@";

sub must {
    my ($what, @result) = @_;
    die "$what: ", $ftp->code, ' ', $ftp->message unless @result && defined $result[0] && $result[0];
    return $result[0];
}

sub same {
    my ($what, $found, $wanted) = @_;
    die "$what: found '$found', wanted '$wanted'\n" unless $found eq $wanted;
}

must('login', $ftp->login($user, $password));
must('binary', defined $ftp->binary);

must('put', $ftp->put('sample'));
must('get', $ftp->get('sample', 'copy'));
same('size', must('size', $ftp->size('sample')), -s 'sample');
must('mdtm', $ftp->mdtm('sample'));

my $half = -s 'part';
must('get from the middle', $ftp->get('sample', 'part', $half));
open my $rest, '<:raw', 'rest' or die "rest: $!";
$ftp->restart($half);
must('put from the middle', $ftp->put($rest, 'part'));
must('append', $ftp->append('rest', 'appended'));

same('mkdir', must('mkdir', $ftp->mkdir('one/two', 1)), '/one/two');
must('cwd', $ftp->cwd('one/two'));
same('pwd', must('pwd', $ftp->pwd), '/one/two');
must('cdup', $ftp->cdup);
must('cwd', $ftp->cwd('/'));
must('rename', $ftp->rename('sample', 'one/two/moved'));
must('rename', $ftp->rename('one/two/moved', 'sample'));
must('rmdir', $ftp->rmdir('one', 1));

must('mkdir', $ftp->mkdir('odd'));
open my $list, '<', 'names' or die "names: $!";
chomp(my @names = <$list>);
for my $name (@names) {
    must("put $name", $ftp->put("./$name", "odd/$name"));
    must("get $name", $ftp->get("odd/$name", "back/$name"));
}
must('cwd', $ftp->cwd('odd'));
my @lines = $ftp->dir;
for my $name ($ftp->ls) {
    die "LIST does not show $name\n" unless grep { /^-.* \Q$name\E$/ } @lines;
    print $name, ' ', must("size of $name", $ftp->size($name)), "\n";
}
must('cwd', $ftp->cwd('/'));
die "a missing file was fetched\n" if $ftp->get('missing', 'missing');
same('code for a missing file', $ftp->code, 550);
must('delete', $ftp->delete('sample'));
must('quit', $ftp->quit);
