-- Shared by the scripts of a scope: the clock, scope:meta, operation ids, the log and its channel.
--
-- Every write begins with ARGV
--   1 operation id ('' none)   2 clientMessageId ('' none)   3 how long that is remembered (ms)
--   4 how long the log is kept (ms)   5 an epoch, used if the scope is made   6 the scope's channel
-- KEYS[1] is scope:meta. A script names its other keys by assigning the locals below. NAME is the script's own.
--
-- scope:meta: epoch · last (newest logged id) · trim (entries up to this id may be gone) · tt (next trim) · kt (next renewal
-- of TTLs) · lb, lm:<n> (bytes of the log: lib/log.lua) · nl, n:<node> (listeners) · pn and others that begin with p (presence: lib/members.lua) · what a feature adds (its own
-- libraries) · op:<id> → first answer, in a ring oq:<n> from oh to ot whose oldest is from oe; cm:<script>:<user>:<id> likewise (cq,
-- ch, ct, ce).
-- What is read here is written back in one HSET by `commit`.

local call = redis.call
local META = KEYS[1]
local LOG, MEMBERS

local now, epoch, last, listeners, meta
local pending = {}   -- field, value, … to be written to scope:meta
local least = -1     -- SPUBLISH's count, of the least heard message

local OPERATION_MS = 60000
local KEEP_MS = 90000000 -- 25 h

local function put(field, value)
  local n = #pending
  pending[n + 1] = field
  pending[n + 2] = value
end

local function clock()
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- An id used again for another kind of write is another one: its answer would not fit.
local function client_field(user)
  return 'cm:' .. NAME .. ':' .. user .. ':' .. ARGV[2]
end

-- Reads scope:meta. Returns the first answer if this is a repeat; `flag` is the place of its duplicate flag.
local function open(user, flag)
  clock()
  local cm = ARGV[2] ~= '' and client_field(user) or '-'
  meta = call('HMGET', META, 'epoch', 'last', 'nl', 'tt', 'oh', 'ot', 'oe', 'kt', 'op:' .. ARGV[1], cm, 'lb')
  epoch, last, listeners = meta[1], meta[2] or '0-0', tonumber(meta[3] or 0)
  if meta[9] and ARGV[1] ~= '' then return cmsgpack.unpack(meta[9]) end
  if meta[10] then
    local answer = cmsgpack.unpack(meta[10])
    answer[flag] = 1
    return answer
  end
end

-- Makes scope:meta, and an empty log (declared keys should exist from the start: see design, "Redis scripts").
local function ensure()
  if epoch then return end
  epoch = ARGV[5]
  put('epoch', epoch)
  if LOG then
    call('DEL', LOG)
    call('XADD', LOG, 'MAXLEN', 0, '0-1', 'b', '')
  end
end

local function spublish(head, body)
  local heard = call('SPUBLISH', ARGV[6], epoch .. ' ' .. last .. ' ' .. head .. '\n' .. body)
  if least < 0 or heard < least then least = heard end
end

local function publish_volatile(body)
  ensure()
  spublish('~', body)
end

-- Adds an entry to a ring of remembered answers and drops those that are old. `p` is its letter.
local function ring(p, field, packed, age, head, tail, since)
  tail = tonumber(tail or 0) + 1
  head = tonumber(head or 0)
  put(field, packed)
  put(p .. 'q:' .. tail, now .. ' ' .. field)
  put(p .. 't', tail)
  if head == 0 then
    put(p .. 'h', tail)
    put(p .. 'e', now)
  elseif now - since > age + 8000 then -- seldom and many at once is cheaper than always and few
    local names = {}
    for i = head, math.min(head + 63, tail - 1) do names[#names + 1] = p .. 'q:' .. i end
    local drop, oldest = {}, now
    for i, entry in ipairs(call('HMGET', META, unpack(names))) do
      local ms, of = string.match(entry or '0 -', '^(%d+) (.*)$')
      if now - ms <= age then
        oldest = ms
        break
      end
      drop[#drop + 1] = names[i]
      drop[#drop + 1] = of
      head = head + 1
    end
    if #drop > 0 then call('HDEL', META, unpack(drop)) end
    -- If all that were looked at are gone, the next one's age is not known: look again soon.
    if #drop == 2 * #names and head < tail then oldest = since end
    put(p .. 'h', head)
    put(p .. 'e', oldest)
  end
end

-- Remembers the answer for a repeat: always under the operation id, under the clientMessageId only what had an effect.
local function remember(answer, user, effect)
  if ARGV[1] == '' and ARGV[2] == '' then return end
  local packed = cmsgpack.pack(answer)
  if ARGV[1] ~= '' then ring('o', 'op:' .. ARGV[1], packed, OPERATION_MS, meta[5], meta[6], meta[7]) end
  if ARGV[2] ~= '' and effect then
    local r = call('HMGET', META, 'ch', 'ct', 'ce')
    ring('c', client_field(user), packed, tonumber(ARGV[3]), r[1], r[2], r[3])
  end
end

local function commit()
  if #pending > 0 then call('HSET', META, unpack(pending)) end
end
