-- A socket observes an interview.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session (7 and 8: the observer's)   9 user   10 node   11 session epoch
-- Returns { 'joined', …, first, position, epoch, session }
-- Safe to repeat by itself.
open('', DUPLICATE)
ensure()
listen(ARGV[10])
local first = member_put(SID, USER, ARGV[9], 'observer', ARGV[10], ARGV[11])
keep(now, META, LOG, MEMBERS, SESSION, TRAIL, AUDIO)
commit()
return with_session(answer('joined', first and 1 or 0, last, epoch))
