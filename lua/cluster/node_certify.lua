-- Declares a node dead on this master, unless it has a lease here. By itself, or by the next one of its name, in any case.
-- KEYS 1 cluster:nodes   2 cluster:node of its label
-- ARGV 1 node   2 in any case ('1' or '')
-- Returns { 1 } if there is a certificate now, else { 0 }
local call = redis.call
local holds = call('HGET', KEYS[2], 'node') == ARGV[1]
if holds and ARGV[2] ~= '1' then return { 0 } end
if holds then call('DEL', KEYS[2]) end
local time = call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local renewed = string.match(call('HGET', KEYS[1], ARGV[1]) or '', '^%d+') or '0'
call('HSETNX', KEYS[1], 'x:' .. ARGV[1], now .. ' ' .. renewed)
return { 1 }
