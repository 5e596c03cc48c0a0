-- Shared by the scripts of a call: its sockets, and how they are announced. Needs scope/lib/scope, log, members and rooms/lib/audit,
-- room. A script assigns MEMBERS and CALL.
--
-- interview:call: s:<sid> → `<joined> <role> <new> <has a token> <user key> <identity>` of each socket that counts as being there, one
-- whose connection was lost included · g:<sid> → `<since> <the same>` of one that does not any more, kept as long as its client
-- may get it back · x:<sid>: it shows its screen · ev, es: version of the document and the socket that wrote it · pe: end of
-- the present window · pw: '1' if there is something to announce when it ends.
-- scope:members has each socket as a user of its own, whose id is the sid: so it says of each socket when it was lost.

noted = false -- who comes and goes is noted here, and not by scope/lib/members

local CALL
local ID = string.match(META, '{(.*)}$')
local LISTED = 50        -- so many sockets are announced once in a window; more of them less often
local MOST_SCREENS = 16
local MOST_KEPT = 1000   -- sockets that are there no longer, and may come back
local SPEAKING = { candidate = 'candidate', interviewer = 'interviewer', recruiter = 'interviewer', admin = 'interviewer' }

local function place_of(sid, text)
  local joined, role, new, token, user, identity = string.match(text, '^(%d+) (%S+) (%d) (%d) (%S+) (.*)$')
  return { sid = sid, joined = tonumber(joined), role = role, new = new == '1', token = token, user = user, identity = identity }
end

local function place_text(p)
  return string.format('%.0f', p.joined) .. ' ' .. p.role .. ' ' .. (p.new and 1 or 0) .. ' ' .. p.token .. ' ' .. p.user .. ' ' .. p.identity
end

local function place(sid)
  local text = call('HGET', CALL, 's:' .. sid)
  return text and place_of(sid, text)
end

-- All that count as being there, those whose connection was lost included, the first that came first; and the whole hash.
local function places()
  local all, list = call('HGETALL', CALL), {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 's:' then list[#list + 1] = place_of(string.sub(all[i], 3), all[i + 1]) end
  end
  table.sort(list, function(a, b)
    if a.joined ~= b.joined then return a.joined < b.joined end
    return a.sid < b.sid
  end)
  return list, all
end

local function places_json(list)
  local texts = {}
  for i, p in ipairs(list) do
    texts[i] = '{"socketId":"' .. p.sid .. '","identity":' .. cjson.encode(p.identity) .. ',"role":"' .. p.role .. '"}'
  end
  return '[' .. table.concat(texts, ',') .. ']'
end

local function screen_json(sid, identity, active)
  return '{"socketId":"' .. sid .. '","identity":' .. cjson.encode(identity) .. ',"active":' .. tostring(active) .. '}'
end

-- A key that holds something lives as long as the keys of the scope.
local function live_on(...)
  for _, key in ipairs({ ... }) do
    if call('PTTL', key) < KEEP_MS - 3600000 then call('PEXPIRE', key, KEEP_MS) end
  end
end

-- Sockets that are there no longer are forgotten, but for what the clients of the first `most` of them need that come back yet. A
-- screen goes with its socket.
local function remove(gone, most)
  if #gone == 0 then return end
  local fields, kept, screens = {}, {}, {}
  for i, p in ipairs(gone) do
    fields[#fields + 1] = 's:' .. p.sid
    screens[i] = 'x:' .. p.sid
    if i <= most then
      kept[#kept + 1] = 'g:' .. p.sid
      kept[#kept + 1] = now .. ' ' .. place_text(p)
    end
  end
  for i, shown in ipairs(call('HMGET', CALL, unpack(screens))) do
    if shown then
      fields[#fields + 1] = screens[i]
      publish('* - - -\n["screen:share",' .. screen_json(gone[i].sid, gone[i].identity, false) .. ']')
    end
  end
  call('HDEL', CALL, unpack(fields))
  if #kept > 0 then call('HSET', CALL, unpack(kept)) end
end

-- Finds out who counts as being there: not a socket that was lost a grace ago or more, or after which its user has joined with
-- another one. Returns those who are there, how many went, and ms until the next one may go or -1.
local function judge(grace)
  local here, lost, members = {}, {}, call('HGETALL', MEMBERS)
  for i = 1, #members, 2 do
    if string.byte(members[i]) == 64 then -- '@'
      local entry = user_of(members[i + 1])
      if entry.sockets == 0 then lost[entry.user] = { field = members[i], seen = entry.seen } end
    elseif members[i] ~= '_' then
      here[members[i]] = true
    end
  end
  local list, all = places()
  local newest = {} -- by user and role: when one of the sockets that are here joined last
  for _, p in ipairs(list) do
    p.here = here[p.sid]
    if p.here then newest[p.user .. p.role] = p.joined end
  end
  local there, gone, fields, wait = {}, {}, {}, -1
  for _, p in ipairs(list) do
    local loss = lost[p.sid]
    local left = p.here and 0 or loss and loss.seen + grace - now or -1
    if not p.here and loss and (newest[p.user .. p.role] or 0) >= loss.seen then left = -1 end
    if p.here or left > 0 then
      there[#there + 1] = p
      if not p.here and (wait < 0 or left < wait) then wait = left end
    else
      gone[#gone + 1] = p
      if loss then fields[#fields + 1] = loss.field end
    end
  end
  local kept, old = 0, {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'g:' then
      kept = kept + 1
      -- Its client cannot come back any more.
      if now - string.match(all[i + 1], '^(%d+)') > tonumber(ARGV[3]) then old[#old + 1] = all[i] end
    end
  end
  if #old > 0 then call('HDEL', CALL, unpack(old)) end
  remove(gone, MOST_KEPT - kept + #old)
  if #fields > 0 then call('HDEL', MEMBERS, unpack(fields)) end
  return there, #gone, wait
end

-- Whether somebody who has just come makes the pair of candidate and interviewer complete: the other side is there, and on its
-- own side nobody was but earlier sockets of the same user.
local function completes_pair(there)
  local there_is = {}
  for _, p in ipairs(there) do
    if SPEAKING[p.role] then there_is[SPEAKING[p.role]] = true end
  end
  if not (there_is.candidate and there_is.interviewer) then return false end
  for _, p in ipairs(there) do
    if p.new then
      local was_there = false
      for _, other in ipairs(there) do
        local same_side = SPEAKING[other.role] == SPEAKING[p.role]
        was_there = was_there or same_side and other.here and not other.new and other.user ~= p.user
      end
      if not was_there then return true end
    end
  end
  return false
end

-- Tells everybody who is there, and when the pair has become complete.
local function announce(there, window)
  publish('* - - -\n["presence:update",' .. places_json(there) .. ']')
  if completes_pair(there) then publish('* - - -\n["call:ready",{"interviewId":"' .. ID .. '"}]') end
  local fields = { 'pe', now + window * math.max(1, math.ceil(#there / LISTED)), 'pw', '' }
  for _, p in ipairs(there) do
    if p.new then
      p.new = false
      fields[#fields + 1] = 's:' .. p.sid
      fields[#fields + 1] = place_text(p)
    end
  end
  call('HSET', CALL, unpack(fields))
end

-- How much of the present window is left, in ms; 0 if it is over.
local function window_left(window, stop)
  local left = tonumber(stop or 0) - now
  local longest = window * (1 + call('HLEN', MEMBERS) / LISTED)
  return left > longest and 0 or math.max(left, 0) -- far ahead: Redis' clock was set back
end

-- Who is there has changed: it is announced now if the window is over, else when it ends. Returns ms until somebody must come
-- for that, or -1.
local function presence(window, grace, changed)
  local r = call('HMGET', CALL, 'pe', 'pw')
  local waits = r[2] == '1'
  if not changed and not waits then return -1 end
  local left = window_left(window, r[1])
  if left == 0 then
    announce(judge(grace), window)
    return -1
  end
  if not waits then call('HSET', CALL, 'pw', 1) end
  return left
end
