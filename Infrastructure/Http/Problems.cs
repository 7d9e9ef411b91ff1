using Bellhop.Infrastructure.Auth;

namespace Bellhop.Infrastructure.Http;

/// <summary>The failures that any route may answer. A feature's own stand in the feature.</summary>
public static class Problems
{
    public static readonly ProblemCode MalformedBody = new(400, "malformed_body", "The body could not be read")
    {
        Example = new(
            "Not JSON at line 1, byte 17.",
            FieldError.At("/data", "malformed_json", "Not JSON at line 1, byte 17.")
        ),
    };
    public static readonly ProblemCode MalformedRequest = new(
        400,
        "malformed_request",
        "The request could not be read"
    );
    public static readonly ProblemCode UnknownParameter = new(400, "unknown_parameter", "Unknown query parameter")
    {
        Example = new(
            "There is no parameter colour; known are state, limit, cursor.",
            FieldError.InParameter("colour", "unknown_parameter", "Known are state, limit, cursor.")
        ),
    };
    public static readonly ProblemCode InvalidParameter = new(400, "invalid_parameter", "A parameter is not valid")
    {
        Example = new(
            "limit: A number from 1 to 200.",
            FieldError.InParameter("limit", "invalid", "A number from 1 to 200.")
        ),
    };
    public static readonly ProblemCode CursorMismatch = new(400, "cursor_mismatch", "The cursor does not fit")
    {
        Example = new(
            "The cursor is not one this list gave with these filters; start again without it.",
            FieldError.InParameter(
                "cursor",
                "cursor_mismatch",
                "Use next_cursor of the page before, with the same filters."
            )
        ),
    };
    public static readonly ProblemCode InvalidHeader = new(400, "invalid_header", "A header is not valid")
    {
        Example = new(
            "Idempotency-Key: Give it once.",
            FieldError.InHeader("Idempotency-Key", "invalid", "Give it once.")
        ),
    };
    public static readonly ProblemCode ProjectRequired = new(400, "project_required", "The project is to be named")
    {
        Example = new(
            "Name the project, by id or name: you are a member of several.",
            FieldError.InHeader(
                ProjectHeader.Name,
                "required",
                "Name the project, by id or name: you are a member of several."
            )
        ),
    };

    public static readonly ProblemCode Unauthenticated = new(401, "unauthenticated", "Authentication is required")
    {
        Example = new("Send an API key as Authorization: Bearer bh_…"),
    };
    public static readonly ProblemCode Forbidden = new(403, "forbidden", "The caller may not do this")
    {
        Example = new("The key lacks the permission events:publish."),
    };
    public static readonly ProblemCode ProjectArchived = new(403, "project_archived", "The project is archived")
    {
        Example = new("The project is archived: it is read, and changed no more until an owner restores it."),
    };
    public static readonly ProblemCode Csrf = new(403, "csrf", "Another site may have sent the request")
    {
        Example = new(
            "Send the session's csrf_token, as /v1/auth/me shows it, as X-CSRF-Token; or send it from a page of this origin."
        ),
    };
    public static readonly ProblemCode NotFound = new(404, "not_found", "Not found");
    public static readonly ProblemCode MethodNotAllowed = new(405, "method_not_allowed", "Method not allowed");
    public static readonly ProblemCode NotAcceptable = new(406, "not_acceptable", "Not acceptable");
    public static readonly ProblemCode TooSlow = new(408, "too_slow", "The body came too slowly")
    {
        Example = new("The body came slower than 240 bytes a second, and was not waited for."),
    };
    public static readonly ProblemCode NameTaken = new(409, "name_taken", "The name is taken");
    public static readonly ProblemCode IdempotencyInProgress = new(
        409,
        "idempotency_in_progress",
        "The same request is still being worked on"
    )
    {
        Example = new(
            "A request with this key is being worked on; repeat it in a moment.",
            FieldError.InHeader(
                "Idempotency-Key",
                "in_progress",
                "A request with this key is being worked on; repeat it in a moment."
            )
        ),
    };
    public static readonly ProblemCode PreconditionFailed = new(
        412,
        "precondition_failed",
        "The resource is not as the caller saw it"
    )
    {
        Example = new(
            "It was changed since; read it again.",
            FieldError.InHeader("If-Match", "no_match", "It was changed since; read it again.")
        ),
    };
    public static readonly ProblemCode TooLarge = new(413, "too_large", "The request is too large")
    {
        Example = new(
            "The body may be 1048576 bytes at most.",
            FieldError.At("", "too_large", "The body may be 1048576 bytes at most.")
        ),
    };
    public static readonly ProblemCode UnsupportedMediaType = new(
        415,
        "unsupported_media_type",
        "Unsupported media type"
    )
    {
        Example = new(
            "Send application/json, not text/plain.",
            FieldError.InHeader("Content-Type", "not_supported", "Send application/json, not text/plain.")
        ),
    };
    public static readonly ProblemCode Invalid = new(422, "invalid", "The request is not valid")
    {
        Example = new(
            "priority must be from 1 to 4.",
            FieldError.At("/priority", "out_of_range", "priority must be from 1 to 4.")
        ),
    };
    public static readonly ProblemCode IdempotencyKeyReused = new(
        422,
        "idempotency_key_reused",
        "The key was used for another request"
    )
    {
        Example = new(
            "The key was used for a request with another body or query; take a new key.",
            FieldError.InHeader(
                "Idempotency-Key",
                "reused",
                "The key was used for a request with another body or query; take a new key."
            )
        ),
    };
    public static readonly ProblemCode PreconditionRequired = new(
        428,
        "precondition_required",
        "A precondition is required"
    )
    {
        Example = new(
            "Send If-Match with the ETag of the state you saw, so that nobody's change is overwritten.",
            FieldError.InHeader("If-Match", "required", "Send If-Match with the ETag of the state you saw.")
        ),
    };
    public static readonly ProblemCode RateLimited = new(429, "rate_limited", "Too many requests");
    public static readonly ProblemCode InternalError = new(500, "internal_error", "Internal error");
    public static readonly ProblemCode Busy = new(503, "busy", "The service is busy");
    public static readonly ProblemCode StorageUnavailable = new(
        503,
        "storage_unavailable",
        "The database is unavailable"
    );
    public static readonly ProblemCode NotReady = new(503, "not_ready", "The service is not ready");

    /// <summary>415 that names the header and says what to send.</summary>
    public static Problem WrongContentType(string message) =>
        UnsupportedMediaType.Because(message, FieldError.InHeader("Content-Type", "not_supported", message));
}
