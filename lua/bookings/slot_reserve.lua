-- Reserves a slot for a start, if there is one, for as long as its lease.
-- KEYS 1 {interviews}:active   2 {interviews}:user   3 {interviews}:ready   4 {interviews}:op of this operation
-- ARGV 1 id   2 most slots of all   3 most slots of this user   4 lease (ms)   5 how long the operation is remembered (ms)
-- Returns { 'ok', until (ms) }; { 'cold' }: the table was not rebuilt; { 'id' }: held already; { 'user' }; { 'full' }
-- A repeat of a reservation gets its first answer; refusals are judged anew.
local USER = KEYS[2]
local first = call('GET', KEYS[4])
if first then return { 'ok', first } end
purge(ACTIVE)
purge(USER)
if call('EXISTS', KEYS[3]) == 0 then return { 'cold' } end
if call('ZSCORE', ACTIVE, ARGV[1]) then return { 'id' } end
-- The sweep may have removed a slot without knowing whose it was. (More of those than are looked at: the next try goes on.)
for _, id in ipairs(call('ZRANGE', USER, 0, 255)) do
  if not call('ZSCORE', ACTIVE, id) then call('ZREM', USER, id) end
end
if call('ZCARD', USER) >= tonumber(ARGV[3]) then return { 'user' } end
if call('ZCARD', ACTIVE) >= tonumber(ARGV[2]) then return { 'full' } end
local ends = ms(now + ARGV[4])
put(USER, ARGV[1], ends)
call('SET', KEYS[4], ends, 'PX', ARGV[5])
return { 'ok', ends }
