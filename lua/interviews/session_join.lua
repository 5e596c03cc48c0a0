-- A socket becomes the candidate's: by its join-interview, or because it came back.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 user   10 name, JSON   11 node   12 session epoch   13 it came back: it is not announced, and does
--      not take the place of another socket ('1' or '')   14 state by PostgreSQL ('' not asked)   15 position by PostgreSQL
--      then field, value, … of interview:session, by PostgreSQL: used if the live state is lost, or lags behind
-- Returns { 'joined', …, made now, socket that is superseded or '', resumed, position, epoch, ms until the timer that this call
--         has set or -1, session }; { 'ended', …, session, empty if it is not live any more }; { 'superseded', … };
--         { 'missing', … } if there is no live state and PostgreSQL was not asked
-- Nodes get the control message `superseded` {socketId}.
local first = open(USER, DUPLICATE)
if first then return with_session(first) end
load()
due_open(KEYS[7])
local recovered = ARGV[13] == '1'
local made = not state
if made then
  if ARGV[14] == '' then return refuse('missing') end
  state = ARGV[14]
end
if FINAL[state] then return with_session(answer('ended')) end
if recovered and present ~= '' and present ~= SID then return refuse('superseded') end

-- After a failover PostgreSQL may know of a question of which Redis knows nothing any more: then what was said until now belongs to
-- questions that are past, unless it came behind an answer. The rest is newer in Redis.
local lags = not made and tonumber(ARGV[15]) > pos
if lags then
  if not answering then
    local newest = call('XREVRANGE', AUDIO, '+', '-', 'COUNT', 1)[1]
    if newest then call('HSET', SESSION, 'cut', newest[1]) end
  end
  finish()
  if state == 'created' then move('active') end
  set('askt', now)
end
if made or lags then
  local AHEAD = { pos = true, asked = true, qid = true, progress = true, started = true, lq = true, lt = true, lu = true }
  for i = 16, #ARGV, 2 do
    if made or AHEAD[ARGV[i]] or string.sub(ARGV[i], 1, 2) == 'q:' then set(ARGV[i], ARGV[i + 1]) end
  end
  save()
  load()
end

-- What is logged from here on is for the new member.
ensure()
local position = last
for _, stream in ipairs({ TRAIL, AUDIO }) do
  -- Declared keys exist from the start: see the design, "Redis scripts".
  if call('EXISTS', stream) == 0 then call('XADD', stream, 'MAXLEN', 0, '0-1', 'e', '') end
  if made then call('PEXPIRE', stream, KEEP_MS) end
end
due_ensure()
listen(ARGV[11])
local supersedes = ''
if present ~= SID then
  due_clear('absent ' .. present)
  due_clear('heartbeat')
  remove('hb')
  beat = nil
  local old = socket_entry(present)
  if old then
    member_drop(present, old.node, old.session, now, true)
    supersedes = present
    tell('!', 'superseded', '{"socketId":"' .. present .. '"}')
  end
end
member_put(SID, USER, ARGV[9], 'candidate', ARGV[11], ARGV[12])
due_clear('absent')
due_clear('absent ' .. SID)
remove('lost')
for _, pair in ipairs({ { 'sid', SID }, { 'user', ARGV[9] }, { 'uk', USER }, { 'name', ARGV[10] }, { 'joined', now } }) do
  set(pair[1], pair[2])
end
local resumed = not recovered and resume()
alive()
if not recovered then observed('candidate-joined', stamped('"candidateName":' .. ARGV[10])) end
local result = done('joined', made and 1 or 0, supersedes, resumed and 1 or 0, position, epoch, due_in)
if made then call('PEXPIRE', SESSION, KEEP_MS) end
return with_session(result)
