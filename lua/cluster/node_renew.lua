-- A node renews its lease on this master, if it may: the name is its own, and nobody has declared it dead.
-- KEYS 1 cluster:nodes   2 cluster:node of its label
-- ARGV 1 node   2 tag   3 peer address ('' none)   4 has the cluster's secret ('1' or '')   5 started (ms)
--      6 connections   7 draining ('1' or '')   8 lease (ms)   9 the newest form of bodies that it reads
-- Returns { 'ok' }; { 'dead' }: there is a death certificate of this node; { 'taken', node }: another one holds the name
-- cluster:nodes: <node> → <renewed> <tag> <secret 0/1> <draining 0/1> <address> <form> (earlier releases write no form and
-- read none); x:<node> → <certified> <last renewed>
local call = redis.call
local node = ARGV[1]
if call('HEXISTS', KEYS[1], 'x:' .. node) == 1 then return { 'dead' } end
local holder = call('HGET', KEYS[2], 'node')
if holder and holder ~= node then return { 'taken', holder } end
local time = call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local secret, draining = ARGV[4] == '1' and '1' or '0', ARGV[7] == '1' and '1' or '0'
call('HSET', KEYS[1], node, now .. ' ' .. ARGV[2] .. ' ' .. secret .. ' ' .. draining .. ' ' .. ARGV[3] .. ' ' .. ARGV[9])
call('PEXPIRE', KEYS[1], 90000000) -- 25 h, as long as what a node could have left behind
call('HSET', KEYS[2], 'node', node, 'incarnation', string.match(node, '[^.]*$'), 'tag', ARGV[2], 'address', ARGV[3],
  'started', ARGV[5], 'connections', ARGV[6], 'draining', draining)
call('PEXPIRE', KEYS[2], ARGV[8])
return { 'ok' }
