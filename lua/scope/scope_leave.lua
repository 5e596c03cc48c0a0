-- Ends a membership of a scope that has no rules of its own, if node and session epoch match.
-- KEYS 1 scope:members
-- ARGV 1 sid   2 node   3 session epoch
-- Returns { left }
MEMBERS = KEYS[1]
clock()
return { member_drop(ARGV[1], ARGV[2], ARGV[3], now, true) and 1 or 0 }
