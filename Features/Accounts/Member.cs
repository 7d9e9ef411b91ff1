using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using FluentValidation;

namespace Bellhop.Features.Accounts;

/// <summary>What a member may do in the project, as it is written.</summary>
/// <param name="Role">In the project.</param>
/// <param name="Scopes">Only these permissions of the role.</param>
/// <param name="Queues">Only jobs of these queues.</param>
/// <param name="Tags">Only configuration that has one of these tags, and what comes of it.</param>
/// <param name="Owner"><c>self</c>: only configuration that the member made, and what comes of it.</param>
/// <param name="Hours">Only at these hours.</param>
/// <param name="AllowNetworks">Only from these networks.</param>
/// <param name="Disabled">Nothing at all, until that is taken back.</param>
public sealed record MemberDocument(
    string? Role,
    IReadOnlyList<string>? Scopes = null,
    IReadOnlyList<string>? Queues = null,
    IReadOnlyList<string>? Tags = null,
    string? Owner = null,
    Hours? Hours = null,
    IReadOnlyList<string>? AllowNetworks = null,
    bool Disabled = false
) : IGrants, IExampled<MemberDocument>
{
    public static MemberDocument Example => new("operator", Queues: ["default"]);
}

/// <summary>What makes such a document sound.</summary>
public sealed class MemberRules : AbstractValidator<MemberDocument>
{
    public MemberRules() => this.GrantAccess();
}

/// <summary>A member of the project as he is shown.</summary>
/// <param name="Id">Of the membership.</param>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record MemberView(
    Guid Id,
    Guid UserId,
    [property: MaxLength(EmailAddress.MaxLength)] string Email,
    [property: MaxLength(63)] string Role,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxScopes), Each(63)]
        IReadOnlyList<string>? Scopes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxQueues), Each(100)]
        IReadOnlyList<string>? Queues,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AccessRules.MaxTags), Each(63)]
        IReadOnlyList<string>? Tags,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(63)] string? Owner,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Hours? Hours,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        MaxLength(AccessRules.MaxNetworks),
        Each(AccessRules.MaxNetworkLength)
    ]
        IReadOnlyList<string>? AllowNetworks,
    bool Disabled,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime CreatedAt,
    [property: MaxLength(300)] string CreatedBy,
    DateTime UpdatedAt
) : IRevised, IExampled<MemberView>
{
    public static MemberView Example =>
        new(
            Story.Rejection,
            Story.Source,
            "grace@example.com",
            "operator",
            null,
            ["default"],
            null,
            null,
            null,
            null,
            false,
            1,
            Story.SetUpAt,
            "user:ada@example.com",
            Story.SetUpAt
        );

    internal MemberDocument ToDocument() => new(Role, Scopes, Queues, Tags, Owner, Hours, AllowNetworks, Disabled);
}

/// <summary>A membership's row.</summary>
internal sealed record MemberRow(
    Guid Id,
    Guid UserId,
    string Email,
    string Role,
    string Access,
    DateTime? DisabledAt,
    int Revision,
    DateTime CreatedAt,
    string CreatedBy,
    DateTime UpdatedAt
)
{
    public Access ReadAccess() => Infrastructure.Auth.Access.Read(Access);

    public MemberView ToView()
    {
        var access = ReadAccess();
        return new MemberView(
            Id,
            UserId,
            Email,
            Role,
            access.Scopes,
            access.Queues,
            access.Tags,
            access.Owner,
            access.Hours,
            access.AllowNetworks,
            DisabledAt is not null,
            Revision,
            CreatedAt,
            CreatedBy,
            UpdatedAt
        );
    }
}
