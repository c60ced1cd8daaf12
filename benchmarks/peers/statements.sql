-- What the ceiling runs: each query's answer as one JSON value, written by hand in three ways. The run takes the one that
-- costs PostgreSQL least.

-- users: rows
select array_to_json(array(
  select r from (select id::text, name, email from users order by users.id limit 10) r
));

-- users: json_agg
select json_agg(json_build_object('id', id::text, 'name', name, 'email', email))
from (select id, name, email from users order by id limit 10) u;

-- users: text
select '[' || string_agg(
  '{"id":"' || id || '","name":' || to_json(name)::text || ',"email":' || to_json(email)::text || '}', ','
) || ']'
from (select id, name, email from users order by id limit 10) u;

-- posts: rows
select array_to_json(array(
  select r from (
    select id::text, name, array(
      select p from (
        select id::text, title, created_at as "createdAt"
        from posts where author_id = u.id order by created_at desc, posts.id limit 5
      ) p
    ) as posts
    from (select id, name from users order by id limit 20) u
  ) r
));

-- posts: json_agg
select json_agg(json_build_object('id', id::text, 'name', name, 'posts', (
  select coalesce(json_agg(json_build_object('id', id::text, 'title', title, 'createdAt', created_at)), '[]')
  from (select id, title, created_at from posts where author_id = u.id order by created_at desc, id limit 5) p
)))
from (select id, name from users order by id limit 20) u;

-- posts: text
select '[' || string_agg('{"id":"' || id || '","name":' || to_json(name)::text || ',"posts":[' || coalesce((
  select string_agg(
    '{"id":"' || id || '","title":' || to_json(title) || ',"createdAt":' || to_json(created_at) || '}', ','
  )
  from (select id, title, created_at from posts where author_id = u.id order by created_at desc, id limit 5) p
), '') || ']}', ',') || ']'
from (select id, name from users order by id limit 20) u;

-- comments: rows
select array_to_json(array(
  select r from (
    select id::text, name, array(
      select p from (
        select id::text, title, array(
          select c from (
            select id::text, body, (
              select a from (select id::text, name from users where id = comments.author_id) a
            ) as author
            from comments where post_id = posts.id order by comments.id limit 3
          ) c
        ) as comments
        from posts where author_id = u.id order by created_at desc, posts.id limit 5
      ) p
    ) as posts
    from (select id, name from users order by id limit 10) u
  ) r
));

-- comments: json_agg
select json_agg(json_build_object('id', id::text, 'name', name, 'posts', (
  select coalesce(json_agg(json_build_object('id', id::text, 'title', title, 'comments', (
    select coalesce(json_agg(json_build_object('id', c.id::text, 'body', c.body, 'author', json_build_object(
      'id', a.id::text, 'name', a.name
    )) order by c.id), '[]')
    from (select id, body, author_id from comments where post_id = p.id order by id limit 3) c
    join users a on a.id = c.author_id
  ))), '[]')
  from (select id, title from posts where author_id = u.id order by created_at desc, id limit 5) p
)))
from (select id, name from users order by id limit 10) u;

-- comments: text
select '[' || string_agg('{"id":"' || id || '","name":' || to_json(name)::text || ',"posts":[' || coalesce((
  select string_agg('{"id":"' || id || '","title":' || to_json(title) || ',"comments":[' || coalesce((
    select string_agg('{"id":"' || id || '","body":' || to_json(body) || ',"author":' || (
      select '{"id":"' || id || '","name":' || to_json(name) || '}' from users where id = c.author_id
    ) || '}', ',')
    from (select id, body, author_id from comments where post_id = p.id order by id limit 3) c
  ), '') || ']}', ',')
  from (select id, title from posts where author_id = u.id order by created_at desc, id limit 5) p
), '') || ']}', ',') || ']'
from (select id, name from users order by id limit 10) u;

-- user: rows
select row_to_json(r) from (select id::text, name, email from users where id = $1) r;

-- user: json_build_object
select json_build_object('id', id::text, 'name', name, 'email', email) from users where id = $1;

-- user: text
select '{"id":"' || id || '","name":' || to_json(name)::text || ',"email":' || to_json(email)::text || '}'
from users where id = $1;
