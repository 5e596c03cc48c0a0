-- Reads the log after a cursor; changes nothing.
-- KEYS 1 scope:meta   2 scope:log
-- ARGV 1 cursor's epoch   2 cursor's id   3 limit of entries
-- Returns { epoch ('' no such scope), last, trimmed up to, reset, more, id, body, … }
LOG = KEYS[2]
local r = call('HMGET', META, 'epoch', 'last', 'trim')
return log_after({ r[1] or '', r[2] or '0-0', r[3] or '0-0', 0, 0 }, ARGV[1], ARGV[2], tonumber(ARGV[3]))
