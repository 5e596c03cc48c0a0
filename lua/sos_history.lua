-- Messages before one, ascending. For members; after the end for all with rights.
-- KEYS 1 sos:state   2 scope:members   3 sos:messages
-- ARGV 1 user key   2 role   3 the token names this SOS   4 socket   5 before ('' the newest)   6 limit
-- Returns { 'ok', next before or '', message, … }, message = { id, user, role, text, clientMessageId, time }; { 'missing' };
--         { 'forbidden' }; { 'not_member' }
local state = call('HMGET', KEYS[1], 'status', 'adm:' .. ARGV[1])
if not state[1] then return { 'missing' } end
if not rights(ARGV[2], ARGV[3] == '1', state[2]) then return { 'forbidden' } end
if not FINAL[state[1]] and call('HEXISTS', KEYS[2], ARGV[4]) == 0 then return { 'not_member' } end
local limit = tonumber(ARGV[6])
local newest = call('XREVRANGE', KEYS[3], ARGV[5] == '' and '+' or '(' .. ARGV[5], '-', 'COUNT', limit + 1)
local result = { 'ok', newest[limit + 1] and newest[limit][1] or '' }
for i = math.min(limit, #newest), 1, -1 do
  local f = newest[i][2]
  result[#result + 1] = { newest[i][1], f[2], f[4], f[6], f[8], f[10] }
end
return result
