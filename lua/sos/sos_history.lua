-- Messages before one, ascending. For members; after the end for all with rights.
-- KEYS 1 sos:state   2 scope:members   3 sos:messages
-- ARGV 1 user key   2 role   3 the token names this SOS   4 socket   5 before ('' the newest)   6 limit   7 bytes of texts
--      after which the answer ends early, one message in it at least
-- Returns { 'ok', next before or '', message, … }, message = { id, user, role, text, clientMessageId, time }; { 'missing' };
--         { 'forbidden' }; { 'not_member' }
local CHUNK = 16 -- messages that are read at once
local state = call('HMGET', KEYS[1], 'status', 'adm:' .. ARGV[1])
if not state[1] then return { 'missing' } end
if not rights(ARGV[2], ARGV[3] == '1', state[2]) then return { 'forbidden' } end
if not FINAL[state[1]] and call('HEXISTS', KEYS[2], ARGV[4]) == 0 then return { 'not_member' } end

local limit, most, bytes, newest, more = tonumber(ARGV[6]), tonumber(ARGV[7]), 0, {}, false
local before = ARGV[5] == '' and '+' or '(' .. ARGV[5]
repeat
  local chunk = call('XREVRANGE', KEYS[3], before, '-', 'COUNT', CHUNK)
  for _, entry in ipairs(chunk) do
    more = #newest == limit or bytes >= most
    if more then break end
    local f = entry[2]
    newest[#newest + 1] = { entry[1], f[2], f[4], f[6], f[8], f[10] }
    before, bytes = '(' .. entry[1], bytes + #f[6]
  end
until more or #chunk < CHUNK
local result = { 'ok', more and newest[#newest][1] or '' }
for i = #newest, 1, -1 do result[#result + 1] = newest[i] end
return result
