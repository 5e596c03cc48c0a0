-- Makes a socket a member of a scope that has no rules of its own, and its node a listener.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members
-- ARGV 1–6 as in lib/scope.lua   7 sid   8 user key   9 user   10 role   11 node   12 session epoch
-- Returns { epoch, position, first, listeners }
LOG, MEMBERS = KEYS[2], KEYS[3]
open('', 0)
ensure()
listen(ARGV[11])
local first = member_put(ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12])
commit()
pending = {}
keep(now, META, LOG, MEMBERS)
commit()
return { epoch, last, first and 1 or 0, listeners }
