-- What rights an actor has here.
-- KEYS 1 sos:state   2 scope:members
-- ARGV 1 user key   2 role   3 the token names this SOS   4 socket
-- Returns {} without state, else { role or '', status, ended, member }
local state = call('HMGET', KEYS[1], 'status', 'adm:' .. ARGV[1])
if not state[1] then return {} end
local member = ARGV[4] ~= '' and call('HEXISTS', KEYS[2], ARGV[4]) or 0
return { rights(ARGV[2], ARGV[3] == '1', state[2]) or '', state[1], FINAL[state[1]] and 1 or 0, member }
