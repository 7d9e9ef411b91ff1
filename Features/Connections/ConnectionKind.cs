namespace Bellhop.Features.Connections;

/// <summary>What is spoken to the outside system.</summary>
public static class ConnectionKind
{
    public const string Http = "http";
    public const string PostgreSql = "postgresql";
    public const string MySql = "mysql";
    public const string Smtp = "smtp";
    public const string S3 = "s3";
    public const string Llm = "llm";

    public static readonly IReadOnlyList<string> All = [Http, PostgreSql, MySql, Smtp, S3, Llm];
}
