#!lua flags=allow-oom
-- Drop what is dead by its own key's tombstone: results, or failures.
-- KEYS: meta heads fails tombs ftombs sizes   ARGV: run shift keys results?
-- Returns entries with their key whose payload is elsewhere.
if restarted() then return 'RESTARTED' end
local heads, fails, tombs, ftombs = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local keys, gone, total = ARGV[3], {}, 0

local function results(list)
  local there, killed = call('HMGET', heads, unpack(list)), call('HMGET', tombs, unpack(list))
  for i = 1, #list do
    local entry = there[i]
    if entry and killed[i] and number(sub(entry, 1, 8)) < number(killed[i]) then
      call('HDEL', heads, list[i])
      total = total + number(sub(entry, 9, 16))
      if string.byte(entry, 60) ~= 0 then gone[#gone + 1] = list[i] .. entry end
    end
  end
end

local function failures(list)
  local killed = call('HMGET', ftombs, unpack(list))
  for i = 1, #list do
    local old = killed[i] and call('HGET', fails, list[i])
    if old then
      local kept, at = {}, 1
      while at <= #old do
        local length = unpack_number('>I4', old, at)
        local frame = sub(old, at, at + 3 + length)
        if number(sub(frame, 5, 12)) >= number(killed[i]) then kept[#kept + 1] = frame end
        at = at + 4 + length
      end
      if #kept == 0 then
        call('HDEL', fails, list[i])
      else
        call('HSET', fails, list[i], table.concat(kept))
      end
    end
  end
end

local count = #keys / 32
for first = 0, count - 1, 1000 do
  local list = cut(keys, first, math.min(first + 1000, count) - 1)
  if ARGV[4] == '1' then results(list) else failures(list) end
end
if total ~= 0 then call('HINCRBY', KEYS[6], 'bytes', -total) end
return gone
