namespace Bellhop.Infrastructure.Http;

/// <summary>The failures that any route may answer. A feature's own stand in the feature.</summary>
public static class Problems
{
    public static readonly ProblemCode MalformedBody = new(400, "malformed_body", "The body could not be read");
    public static readonly ProblemCode MalformedRequest = new(
        400,
        "malformed_request",
        "The request could not be read"
    );
    public static readonly ProblemCode UnknownParameter = new(400, "unknown_parameter", "Unknown query parameter");
    public static readonly ProblemCode InvalidParameter = new(400, "invalid_parameter", "A parameter is not valid");
    public static readonly ProblemCode CursorMismatch = new(400, "cursor_mismatch", "The cursor does not fit");
    public static readonly ProblemCode Unauthenticated = new(401, "unauthenticated", "Authentication is required");
    public static readonly ProblemCode Forbidden = new(403, "forbidden", "The caller may not do this");
    public static readonly ProblemCode NotFound = new(404, "not_found", "Not found");
    public static readonly ProblemCode MethodNotAllowed = new(405, "method_not_allowed", "Method not allowed");
    public static readonly ProblemCode NotAcceptable = new(406, "not_acceptable", "Not acceptable");
    public static readonly ProblemCode NameTaken = new(409, "name_taken", "The name is taken");
    public static readonly ProblemCode TooLarge = new(413, "too_large", "The request is too large");
    public static readonly ProblemCode UnsupportedMediaType = new(
        415,
        "unsupported_media_type",
        "Unsupported media type"
    );
    public static readonly ProblemCode RateLimited = new(429, "rate_limited", "Too many requests");
    public static readonly ProblemCode Invalid = new(422, "invalid", "The request is not valid");
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
